import { type EngineInfo, type EngineName, type EngineOptions, selectEngine } from '#src/engine';

let current: Promise<EngineInfo> | undefined;

/** Starts an engine and remembers it; where it fails, the one before stays. */
export async function chooseEngine(choice: 'auto' | EngineName, options: EngineOptions): Promise<EngineInfo> {
  const info = await selectEngine(choice, options);
  current = Promise.resolve(info);
  return info;
}

/** The engine that was chosen, `auto` unless one was. */
export function currentEngine(): Promise<EngineInfo> {
  current ??= chooseEngine('auto', {}).catch((error: unknown) => {
    current = undefined;
    throw error;
  });
  return current;
}
