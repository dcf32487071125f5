import { ENGINE_NAMES, ENGINES, FUSED_KERNEL_NAMES, FUSED_KERNELS } from '#src/engine';

/** `docs/kernels.md`: which engine has a kernel for which fused operation, from what the engines declare. */
export function kernelDocument(): string {
  const engines = ENGINE_NAMES.map((name) => ENGINES[name]);
  const operations = FUSED_KERNEL_NAMES.map((kernel) => [
    `\`${kernel}\``,
    FUSED_KERNELS[kernel],
    ...engines.map(({ fusedKernels }) => (kernel in fusedKernels ? 'kernel' : 'reference')),
  ]);
  const names = [...new Set(engines.flatMap(({ normActivations }) => normActivations))];
  const thetas = names.map((name) => [
    `\`${name}\``,
    ...engines.map(({ normActivations }) => (normActivations.includes(name) ? 'kernel' : 'reference')),
  ]);
  return [
    '# Kernels',
    '',
    'Generated from what the engines declare (`src/engine/<engine>/kernels/fusedKernels.ts`) by',
    '`TOKENFUSE_UPDATE_DOCS=1 npx vitest run test/docs/kernels.test.ts`.',
    '',
    'Every fused operation has a reference in plain TensorFlow.js operations, which is its definition. An engine may have a',
    'kernel for it, which gives the same result faster; `tokenfuse doctor --kernels` shows what is in place on a machine.',
    '',
    ...markdownTable(['operation', 'computes', ...ENGINE_NAMES], operations),
    '',
    '## Θ',
    '',
    'The values of `normActivation` that the kernels of Pattention, blocks and decoding have code for. With any other, these',
    'operations run by reference, and one line on stderr says so.',
    '',
    ...markdownTable(['normActivation', ...ENGINE_NAMES], thetas),
    '',
  ].join('\n');
}

function markdownTable(headers: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(headers), line(headers.map(() => '---')), ...rows.map(line)];
}
