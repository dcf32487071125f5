import { basename, dirname } from 'node:path';
import { UserError } from '#src/errors';
import { checkpointDigests } from '#src/training';
import { numPatches } from '#vision';
import { bridgeFlows } from './bridgeFlows.js';
import { imagePasses } from './imagePasses.js';
import { inspectedGroups } from './inspectedGroups.js';
import { type InspectedModel, openInspectedModel } from './inspectedModel.js';
import type { Inspection, InspectionSettings } from './inspection.js';
import { type DataOptions, type InspectionData, openInspectionData } from './inspectionData.js';
import { keySimilarity } from './keySimilarity.js';
import { namedContexts } from './namedContexts.js';
import { textPasses } from './textPasses.js';

export interface InspectOptions extends DataOptions, InspectionSettings {
  /** False: the parameters alone, no data. */
  readonly withData: boolean;
}

/** What the model sees of an image: [imageSize, imageSize, 3], 0 to 255. */
export interface ImageViews {
  readonly imageSize: number;
  pixelsOf(index: number): Uint8Array;
}

/**
 * Looks into a trained model: how each parameter token is used by its validation data, and by what; which are dead; how alike the
 * keys of both backbones are; what bridges connect. Nothing of the model is changed.
 *
 * @param path a run directory or a checkpoint folder of any kind
 * @param show takes the result, and the images while they are open
 */
export async function inspectModel<T>(
  path: string,
  options: InspectOptions,
  show: (inspection: Inspection, views: ImageViews | undefined) => Promise<T>,
): Promise<T> {
  const model = openInspectedModel(path);
  let data: InspectionData | undefined;
  try {
    if (!model.tree.names().some((name) => name.endsWith('/keyParamTokens'))) {
      throw new UserError(`${model.directory}: expected a model with parameter tokens, got one without any`);
    }
    if (options.withData) data = await openInspectionData(model, path, options);
    const { limit, contexts, deadShare } = options;
    const { recorded, delivered } = await runData(model, data ?? {}, contexts);
    const groups = await inspectedGroups(model.tree, recorded, deadShare);
    const bridges = model.joint && data ? bridgeFlows(model.joint, groups, delivered) : null;
    const named = namedContexts(data ?? {}, model.language?.tokenizer, groups, bridges ?? []);
    const inspection: Inspection = {
      format: 1,
      model: {
        name: modelName(path),
        kind: model.kind,
        method: model.joint?.method.name ?? null,
        manifest: checkpointDigests({ model: path }).model,
        patchGrid: model.vision ? Math.round(Math.sqrt(numPatches(model.vision.backbone))) : null,
      },
      data: data ? { images: sourceOf(data.images), texts: sourceOf(data.texts) } : null,
      settings: { limit, contexts, deadShare },
      groups,
      similarity: model.joint ? await keySimilarity(model.tree, groups) : null,
      bridges,
      ...named,
    };
    return await show(inspection, viewsOf(model, data));
  } finally {
    data?.close();
    model.dispose();
  }
}

async function runData(model: InspectedModel, { images, texts }: Omit<InspectionData, 'close'>, contexts: number) {
  const { vision, language } = model;
  const seen = images && vision ? await imagePasses(model, vision, images, contexts) : [];
  const read = texts && language ? await textPasses(model, language, { images, texts }, contexts) : undefined;
  return { recorded: [...seen, ...(read?.groups ?? [])], delivered: read?.delivered ?? new Map() };
}

function sourceOf(data: { readonly source: string; readonly count: number } | undefined) {
  return data ? { source: data.source, count: data.count } : null;
}

/** The name of the run or of the checkpoint: `vision`, `vision-step-400`. */
export function modelName(path: string): string {
  const name = basename(path);
  const above = dirname(path);
  return basename(above) === 'checkpoints' ? `${basename(dirname(above))}-${name}` : name;
}

function viewsOf({ vision }: InspectedModel, data: InspectionData | undefined): ImageViews | undefined {
  const images = data?.images;
  if (vision === undefined || images === undefined) return undefined;
  return {
    imageSize: vision.backbone.imageSize,
    pixelsOf: (index) => Uint8Array.from(images.pixelValues([index]), (value) => Math.round((value + 1) * 127.5)),
  };
}
