/// <reference lib="esnext.disposable" preserve="true" />

/**
 * What every model has. Its parameters are on the engine until it is disposed of; `using` does that at the end of the block.
 *
 * @example
 * ```ts
 * using model = await loadModel('runs/quickstart/align');
 * ```
 */
export interface LoadedModel extends Disposable {
  /** Scalar parameters, stored scales τ not counted. */
  readonly numParameters: number;
  /**
   * Writes a checkpoint folder (`model.safetensors`, `model.json`, and the tokenizer where it has one), which every command takes.
   *
   * @param options.overwrite move what is at `directory` aside, to a name that ends in `.old-1`
   * @throws ConfigError when something is at `directory` already
   */
  save(directory: string, options?: { readonly overwrite?: boolean }): Promise<void>;
  /** Frees the parameters; the model cannot be used afterwards. Calling it again does nothing. */
  dispose(): void;
}
