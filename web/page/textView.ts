import type { Decoding } from '#language';
import type { SiteManifest } from '../manifest.js';
import { costLine } from './costLine.js';
import { element, make } from './elements.js';
import type { View } from './main.js';
import type { Answer, Request } from './messages.js';

/** Continues the text that a visitor writes. */
export function textView({ decoding, prompts }: SiteManifest, ask: (request: Request) => void): View {
  const prompt = element<HTMLTextAreaElement>('prompt');
  const go = element<HTMLButtonElement>('continue');
  const output = element('continuation');
  const drawn = element<HTMLInputElement>('drawn');
  let asked = 0;

  function settings(): Decoding {
    if (!drawn.checked) return decoding;
    const { maxTokens, minTokens, repetitionPenalty, stopTokens } = decoding;
    const own = { maxTokens, minTokens, repetitionPenalty, stopTokens };
    // Another seed each time.
    return { method: 'sample', temperature: 0.8, numSamples: 1, seed: asked, ...own };
  }

  function show(text: string): void {
    output.replaceChildren(make('span', { className: 'given' }, prompt.value), text);
  }

  go.addEventListener('click', () => {
    asked++;
    show('');
    output.dataset.state = 'busy';
    ask({ kind: 'continue', id: asked, prompt: prompt.value, decoding: settings() });
  });
  const buttons = prompts.map((text) => {
    const button = make('button', { type: 'button' }, text);
    button.addEventListener('click', () => {
      prompt.value = text;
      go.click();
    });
    return button;
  });
  element('prompts').replaceChildren(...buttons);

  return {
    ready: () => {
      go.disabled = false;
      prompt.focus();
    },
    answer: (answer: Exclude<Answer, { kind: 'ready' | 'failed' }>) => {
      if (answer.id !== asked || answer.kind === 'trace') return;
      show(answer.text);
      if (answer.kind !== 'done') return;
      output.dataset.state = 'done';
      element('time').textContent = costLine(answer);
    },
  };
}
