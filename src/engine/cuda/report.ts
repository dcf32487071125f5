import { foldersLookedInto, type Library, type TriedFile } from './libraries.js';
import { type Cuda, type CudaFailure, openCuda } from './runtime.js';

const NAMES: Readonly<Record<Library, string>> = { driver: 'driver', nvrtc: 'NVRTC', cublasLt: 'cuBLASLt' };

/** For `doctor`: the card and what was loaded, or each place that was tried and why it did not serve. */
export function describeCuda(cuda: Cuda | CudaFailure = openCuda()): string[] {
  return 'reason' in cuda ? describePlaces(cuda.tried ?? []) : describeCard(cuda);
}

function describeCard({ facts }: Cuda): string[] {
  const { card, capability, multiprocessors, memory, driverVersion, nvrtcVersion, cublasLtVersion, libraries } = facts;
  const gib = (memory / 2 ** 30).toFixed(1);
  return [
    `cuda: ${card}, compute capability ${(capability / 10).toFixed(1)}, ${multiprocessors} multiprocessors, ${gib} GiB`,
    `cuda: driver for CUDA ${version(driverVersion, 1000)}, NVRTC ${nvrtcVersion}, cuBLASLt ${version(cublasLtVersion, 10000)}`,
    ...(['driver', 'nvrtc', 'cublasLt'] as const).map(
      (library) => `cuda: ${NAMES[library]} from ${libraries[library]}`,
    ),
  ];
}

/** 13020 as '13.2', and 130200 of cuBLASLt too, whose thousands are the minor version. */
function version(number: number, major: number): string {
  return `${Math.floor(number / major)}.${Math.floor((number % major) / (major / 100))}`;
}

/** By library: first the names that the loader does not find, all alike, then files that are there but do not serve. */
function describePlaces(tried: readonly TriedFile[]): string[] {
  if (tried.length === 0) return [];
  const lines = (Object.keys(NAMES) as Library[]).flatMap((library) => {
    const own = tried.filter((each) => each.library === library);
    const isAbsent = ({ why }: TriedFile): boolean => /no such file/i.test(why);
    const absent = own.filter(isAbsent).map(({ file }) => file);
    return [
      ...(absent.length > 0 ? [`cuda: ${NAMES[library]}: not there: ${absent.join(', ')}`] : []),
      ...own.filter((each) => !isAbsent(each)).map(({ file, why }) => `cuda: ${NAMES[library]}: ${file}: ${why}`),
    ];
  });
  const folders = foldersLookedInto();
  const where = folders.length > 0 ? folders.join(', ') : 'none is there';
  return [...lines, `cuda: folders looked into: ${where}`];
}
