import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
/** Next to this file in a clone; the built package has them where the clone has. */
const FOLDERS = [join(here, 'source'), join(here, '../../../../src/engine/cuda/source')];

/** What all kernels share comes first. */
const SHARED = 'device.cuh';

/**
 * The kernels' source as one text: device.cuh, then the .cu files by name, without `#pragma once` and `#include`; messages of the
 * compiler name the files.
 *
 * @throws Error when the folder of sources is not there
 */
export function joinSources(
  folder: string | undefined = FOLDERS.find((each) => existsSync(join(each, SHARED))),
): string {
  if (folder === undefined) {
    throw new Error(`cuda engine: expected the kernels' source in ${FOLDERS.join(' or ')}, got none; install again`);
  }
  const names = readdirSync(folder).filter((name) => name.endsWith('.cu'));
  return [SHARED, ...names.sort()]
    .map((name) => {
      const text = readFileSync(join(folder, name), 'utf8');
      // Lines stay in their places.
      return `#line 1 "${name}"\n${text.replaceAll(/^[ \t]*#[ \t]*(?:pragma[ \t]+once|include)\b.*$/gm, '')}\n`;
    })
    .join('');
}

/** Options of NVRTC; `arch` as 'sm_90'. */
export function compileOptions(arch: string): string[] {
  return [`--gpu-architecture=${arch}`, '--std=c++17'];
}
