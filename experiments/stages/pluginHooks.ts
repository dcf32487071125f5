/** @file Module hooks (`node:module`, `register`) under which plugins are imported. */
import { readFile } from 'node:fs/promises';
import type { LoadHook, ResolveHook } from 'node:module';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@swc/wasm-typescript';

/** What `@swc/wasm-typescript` throws. */
interface SyntaxProblem {
  readonly message: string;
  readonly startLine: number;
}

/** Gives plugins the running package by its name, so that what they register is seen, wherever they lie. */
export const resolve: ResolveHook = (specifier, context, nextResolve) =>
  /^tokenfuse(\/|$)/.test(specifier)
    ? nextResolve(specifier, { ...context, parentURL: import.meta.url })
    : nextResolve(specifier, context);

/** Erases the types of TypeScript modules, which Node 20 does not. @throws Error with file and line of a syntax error */
export const load: LoadHook = async (url, context, nextLoad) => {
  if (!/^file:.*\.m?ts$/.test(url)) return nextLoad(url, context);
  const path = fileURLToPath(url);
  const text = await readFile(path, 'utf8');
  try {
    return { format: 'module', source: transformSync(text, { mode: 'strip-only' }).code, shortCircuit: true };
  } catch (error) {
    const { message, startLine } = error as SyntaxProblem;
    throw new Error(`${path}:${startLine}: ${message}`);
  }
};
