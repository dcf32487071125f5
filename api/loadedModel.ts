/// <reference lib="esnext.disposable" preserve="true" />

/** A group of parameter tokens for a task, attached to a model. */
export interface AttachedGroup {
  /** As {@link LoadedModel.detachGroup} takes it. */
  readonly name: string;
  /** The backbone that it was trained beside. */
  readonly backbone: 'vision' | 'language';
  /** Scalar parameters, those of a head of its own included. */
  readonly numParameters: number;
}

/**
 * What every model has. Its parameters are on the engine until it is disposed of; `using` does that at the end of the block.
 *
 * @example
 * ```ts
 * using model = await loadModel('runs/quickstart/align');
 * ```
 */
export interface LoadedModel extends Disposable {
  /** Scalar parameters as loaded, stored scales τ and attached groups not counted. */
  readonly numParameters: number;
  /**
   * Attaches the group in a file that `tokenfuse tune` wrote: from now on the model computes with it. Several add up; the backbone
   * itself does not change. Not while another call on the model is under way.
   *
   * @throws UserError when the file is damaged, the group was trained on another backbone, or one of its name is attached
   * @example
   * ```ts
   * const { name } = await model.attachGroup('runs/verse/verse.safetensors');
   * model.detachGroup(name);
   * ```
   */
  attachGroup(file: string): Promise<AttachedGroup>;
  /**
   * Takes an attached group out again: the model computes what it did before, to the bit.
   *
   * @throws UserError when no group of that name is attached
   */
  detachGroup(name: string): void;
  /**
   * Writes a checkpoint folder (`model.safetensors`, `model.json`, and the tokenizer where it has one), which every command takes.
   * Attached groups become part of the model.
   *
   * @param options.overwrite move what is at `directory` aside, to a name that ends in `.old-1`
   * @throws ConfigError when something is at `directory` already
   */
  save(directory: string, options?: { readonly overwrite?: boolean }): Promise<void>;
  /** Frees the parameters; the model cannot be used afterwards. Calling it again does nothing. */
  dispose(): void;
}
