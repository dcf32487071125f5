import { formatCount, formatShare, html, type SafeHtml } from '#src/tracking';
import type { MergePlanPicture } from './mergePlanPicture.js';
import { mergePlanSvg, placeMergePlan, tokensPerStripe } from './mergePlanSvg.js';

const WIDE = 1100;
const PHONE = 350;

const IMAGE_STATES = {
  last: 'Every text layer reads the final vision states.',
  perLayer: 'Text layer l reads the states of vision layer l.',
} as const;

/** The drawing of a merge for wide screens and for phones, with a description in words below. */
export function mergePlanFigure(plan: MergePlanPicture): SafeHtml {
  const { method, description, paper, imageStates, oneNorm, totals } = plan;
  const layout = placeMergePlan(plan, WIDE);
  const trainedShare = totals.trained / Math.max(1, totals.trained + totals.frozen);
  const origins = new Set(plan.layers.flatMap(({ groups }) => groups.map(({ origin }) => origin)));
  const key = (kind: string, text: string) => html`<li><i class="${kind}"></i>${text}</li>`;
  const perStripe = tokensPerStripe(layout);
  return html`<figure class="card merge">
<p><b>${method[0].toUpperCase() + method.slice(1)} merge.</b> ${description}${paper && ` (${paper})`} ${oneNorm && 'A dashed frame stands for one norm.'} ${imageStates && IMAGE_STATES[imageStates]} Alignment trains ${formatCount(totals.trained)} of ${formatCount(totals.trained + totals.frozen)} parameters (${formatShare(trainedShare)}).</p>
${mergePlanSvg(plan, WIDE)}${mergePlanSvg(plan, PHONE)}
<figcaption><ul class="key">${origins.has('vision') && key('vision', 'vision group')}${origins.has('language') && key('language', 'language group')}${origins.has('bridge') && key('bridge', 'bridge group')}${key('frozen', 'tinted: frozen')}${key('trained', 'solid: trained')}${key('image-strip', 'underlined: for image tokens')}${key('text-strip', 'for text tokens')}</ul>
<p class="muted">Widths are proportional to the number of parameter tokens, which is written in each box${layout.widened && '; the thinnest boxes are drawn wider, for their number to be read'}.<span class="wide"> One stripe is ${perStripe === 1 ? 'one parameter token' : `${perStripe} parameter tokens`}.</span></p></figcaption>
</figure>`;
}

/** Colours and layout of the drawing. */
export const mergePlanStyles = html`
:root { --vision: #0f766e; --vision-tint: #d5f0ec; --language: #4f46e5; --language-tint: #e4e3fd; --bridge: #c2410c; --bridge-tint: #fde3d0; --on-solid: #ffffff; }
@media (prefers-color-scheme: dark) {
  :root { --vision: #5fd3c5; --vision-tint: #143a37; --language: #a9a6ff; --language-tint: #2a2a57; --bridge: #ff9d5c; --bridge-tint: #4a2a17; --on-solid: #10141b; }
}
.merge { margin: 0; }
.merge p { max-width: none; }
.plan { display: block; width: 100%; height: auto; }
.plan.narrow { display: none; }
.key { display: flex; flex-wrap: wrap; gap: 4px 15px; margin: 18px 0 8px; padding: 0; list-style: none; font-size: 14px; }
.key li { display: flex; align-items: center; gap: 7px; }
.key i { width: 18px; height: 14px; border-radius: 3px; border: 1px solid transparent; }
.key .vision { background: var(--vision-tint); border-color: var(--vision); }
.key .language { background: var(--language-tint); border-color: var(--language); }
.key .bridge { background: var(--bridge); }
.key .frozen { background: var(--line); }
.key .trained { background: var(--ink); }
.key .image-strip { background: linear-gradient(to top, var(--vision) 3px, transparent 3px 5px, var(--line) 5px); }
.key .text-strip { background: linear-gradient(to top, var(--language) 3px, transparent 3px 5px, var(--line) 5px); }
.merge p:last-child { margin-bottom: 0; }
@media (max-width: 700px) {
  .plan.narrow { display: block; }
  .plan.wide, .merge span.wide { display: none; }
}
`;
