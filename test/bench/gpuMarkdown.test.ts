import { expect, it } from 'vitest';
import { gpuMarkdown } from '../../bench/gpu/markdown.js';

it('shows the page of a run, without the comparisons that were not made', () => {
  const page = [
    'engine cuda',
    'case setting ours ms peer ms         peer ratio target',
    'A    bf16      14.5    19.9 bf16-compile  1.37  ≥ 1.2     ok',
    'A    bf16      14.5       –            –     –  ≥ 1.2         ',
  ];
  const text = gpuMarkdown({ date: '2026-11-28T03:18:37.361Z', card: 'A card', page }, 'gpu-run.json');
  expect(text).toContain('A card, 2026-11-28; `results/gpu-run.json` has all lines');
  expect(text).toContain(`\`\`\`text\n${page.slice(0, 3).join('\n')}\n\`\`\``);
  expect(text).not.toContain('14.5       –');
});
