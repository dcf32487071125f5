import { z } from 'zod';
import { tf } from '#src/engine';
import { RunError, shownText, UserError } from '#src/errors';
import { shortHash } from '#src/groups';
import type { ParameterTree, PattentionMath, PendingSums, RemoteSource, RemoteSum } from '#src/tokenformer';
import { type GroupIdentities, GroupIdentity, groupTensors } from '#src/training';
import { openExchange } from './exchange.js';
import type { ExchangeReply, ExchangeSettings } from './exchangeData.js';
import { decodeAnswer, encodeRequest, FrameError, MAX_FRAME_BYTES, type Matrix } from './frame.js';
import { groupsSha256, treeIdentities } from './groupIdentity.js';
import { chooseGroups, groupPaths } from './groupPatterns.js';
import { GROUPS_PATH, SUMS_PATH } from './parameterServer.js';

export interface RemoteOptions extends ExchangeSettings {
  /** Patterns of the groups to ask for; undefined: those that the model lacks, of a whole model all that the server holds. */
  readonly groups: string | undefined;
  /** What happens when the server does not answer: the work fails, or goes on with the groups of this process alone. */
  readonly onFailure: 'error' | 'local';
  /** Hears, once, that the groups of the server are given up. */
  readonly say: (line: string) => void;
}

/** What the groups of another process cost. */
export interface RemoteUsage {
  /** Groups that were asked for, and the SHA-256 of all of them. */
  readonly groups: number;
  readonly sha256: string;
  readonly roundTrips: number;
  /** On the wire, headers included. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly retries: number;
  /** Time in which this process had nothing else to do. */
  readonly secondsWaited: number;
  /** Whether the groups were given up. */
  readonly fellBack: boolean;
}

/** A server of groups, as a model uses it. */
export interface RemoteParams {
  /**
   * Lets a model use the server's groups in the place of its own: those that it has leave its tree.
   *
   * @param absent the groups that its checkpoint lacks
   * @throws UserError when the server holds another model's groups, or not all that are needed
   * @throws RunError when it does not answer
   */
  takeOver(tree: ParameterTree, absent: GroupIdentities): Promise<void>;
  usage(): RemoteUsage;
  close(): void;
}

const GroupList = z.object({
  format: z.literal(1),
  maxFrameBytes: z.int().positive(),
  groups: z.array(GroupIdentity.extend({ path: z.string().min(1).max(500) })).max(100_000),
});

/** @param url of `tokenfuse serve-params` */
export function connectRemote(options: RemoteOptions): RemoteParams {
  const { url, say } = options;
  const exchange = openExchange(options);
  let last: Pick<ExchangeReply, 'bytesSent' | 'bytesReceived' | 'retries'> = {
    bytesSent: 0,
    bytesReceived: 0,
    retries: 0,
  };
  let [roundTrips, secondsWaited, fellBack] = [0, 0, false];
  let maxFrameBytes = MAX_FRAME_BYTES;
  /** Places of the groups in the server's list. */
  let places: ReadonlyMap<string, number> = new Map();
  let used: GroupIdentities = new Map();

  /** The body of a reply; undefined where the server is given up. */
  const bodyOf = (id: number): Uint8Array | undefined => {
    const started = performance.now();
    const reply = exchange.receive(id);
    secondsWaited += (performance.now() - started) / 1000;
    last = reply;
    roundTrips++;
    if (reply.kind === 'answer') return reply.body;
    if (reply.kind === 'refused') {
      const hint = reply.status === 401 ? '; give it by --remote-token-file or TOKENFUSE_REMOTE_TOKEN' : '';
      throw new UserError(`${url}: refused (${reply.status}): ${shownText(reply.message, 200)}${hint}`);
    }
    return giveUp(reply.message);
  };
  const giveUp = (why: string): undefined => {
    if (options.onFailure === 'error') {
      throw new RunError(
        `${url}: the server of parameters does not answer: ${shownText(why, 200)}; is 'tokenfuse serve-params' running there?`,
      );
    }
    if (!fellBack) say(`${url} does not answer (${shownText(why, 200)}): going on without its groups`);
    fellBack = true;
    return undefined;
  };
  const listOf = (body: Uint8Array): z.output<typeof GroupList> => {
    try {
      return GroupList.parse(JSON.parse(Buffer.from(body).toString('utf8')));
    } catch {
      throw new UserError(`${url}: expected the groups of 'tokenfuse serve-params', got something else`);
    }
  };

  const source: RemoteSource = {
    find: (path) => used.get(path),
    request: (sums, math) => {
      if (tf.engine().state.gradientDepth > 0)
        throw new Error('connectRemote: expected no gradient, got one to record');
      if (fellBack) return { read: () => undefined };
      const frame = encodeRequest(requestOf(sums, math, places));
      if (frame.length > maxFrameBytes) {
        throw new UserError(
          `${url}: takes at most ${maxFrameBytes} bytes at a time, a layer has ${frame.length}; use smaller batches`,
        );
      }
      const id = exchange.send({ method: 'POST', path: SUMS_PATH, body: frame });
      return { read: () => sumsOf(bodyOf(id), sums) };
    },
  };
  const sumsOf = (body: Uint8Array | undefined, sums: readonly RemoteSum[]): ReturnType<PendingSums['read']> => {
    if (body === undefined) return undefined;
    let matrices: Matrix[];
    try {
      matrices = decodeAnswer(body);
    } catch (error) {
      if (error instanceof FrameError) return giveUp(`its answer is damaged: ${error.message}`);
      throw error;
    }
    const shapes = matrices.map(({ rows, width }) => `[${rows}, ${width}]`).join(' ');
    const expected = sums.map(({ x, dOut }) => `[${x.shape[0]}, ${dOut}]`).join(' ');
    if (shapes !== expected) return giveUp(`expected sums of ${expected}, got ${shapes}`);
    return matrices.map(({ rows, width, values }) => tf.tensor2d(values, [rows, width]));
  };

  return {
    takeOver: async (tree, absent) => {
      const own = groupPaths(tree.names());
      const named =
        options.groups === undefined ? [] : chooseGroups([...own, ...absent.keys()], options.groups, '--remote-groups');
      const body = bodyOf(exchange.send({ method: 'GET', path: GROUPS_PATH }));
      const list = body && listOf(body);
      const offered = new Map(list?.groups.map(({ path, ...identity }) => [path, identity]));
      const wanted = new Set([...absent.keys(), ...named]);
      if (wanted.size === 0) for (const path of own) if (offered.has(path)) wanted.add(path);
      if (wanted.size === 0) {
        throw new UserError(
          list === undefined
            ? `${url}: does not answer, and nothing says which groups to do without; name them by --remote-groups`
            : `${url}: holds no group of this model`,
        );
      }
      const mine = await treeIdentities(
        own.filter((path) => wanted.has(path)),
        tree,
      );
      used = new Map([...absent, ...mine]);
      if (list !== undefined) refuseOthers(url, used, offered);
      maxFrameBytes = Math.min(MAX_FRAME_BYTES, list?.maxFrameBytes ?? MAX_FRAME_BYTES);
      places = new Map(list?.groups.map(({ path }, place) => [path, place]));
      tree.remove([...mine.keys()].flatMap(groupTensors));
      tree.useRemote(source);
    },
    usage: () => ({
      ...{ groups: used.size, sha256: groupsSha256(used), roundTrips },
      ...{ bytesSent: last.bytesSent, bytesReceived: last.bytesReceived, retries: last.retries },
      ...{ secondsWaited, fellBack },
    }),
    close: () => exchange.close(),
  };
}

/** @throws UserError when groups are not held by the server, or are others there */
function refuseOthers(url: string, wanted: GroupIdentities, offered: GroupIdentities): void {
  const missing = [...wanted.keys()].filter((path) => !offered.has(path));
  if (missing.length > 0) {
    throw new UserError(
      `${url}: does not hold ${missing.length} of ${wanted.size} groups, such as '${missing[0]}'; serve them with --groups there, or choose others by --remote-groups`,
    );
  }
  for (const [path, { sha256, ...sizes }] of wanted) {
    const other = offered.get(path) as GroupIdentity;
    if (
      other.sha256 === sha256 &&
      (['numParamTokens', 'dIn', 'dOut'] as const).every((key) => other[key] === sizes[key])
    )
      continue;
    throw new UserError(
      `${url}: holds the groups of another model: '${path}' has SHA-256 ${shortHash(other.sha256)} there, ${shortHash(sha256)} in this model; serve the model that this one was made from`,
    );
  }
}

/** Inputs that several sums read are sent once. */
function requestOf(sums: readonly RemoteSum[], math: PattentionMath, places: ReadonlyMap<string, number>) {
  const tensors = [...new Set(sums.map(({ x }) => x))];
  const { normActivation, gelu, normEpsilon } = math;
  return {
    math: { normActivation, gelu, normEpsilon },
    inputs: tensors.map((x) => ({ rows: x.shape[0], width: x.shape[1], values: x.dataSync() as Float32Array })),
    sums: sums.map(({ x, groups }) => ({
      input: tensors.indexOf(x),
      groups: groups.map(({ path, linear }) => ({ index: places.get(path) as number, linear })),
    })),
  };
}
