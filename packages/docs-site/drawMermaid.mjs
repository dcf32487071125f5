import { renderMermaidSVG } from 'beautiful-mermaid';

/** Draws `mermaid` blocks while the site is built, in the colours of the theme. */
export function drawMermaid(md) {
  const fence = md.renderer.rules.fence;
  md.renderer.rules.fence = (tokens, index, ...rest) =>
    tokens[index].info.trim() === 'mermaid'
      ? `<div class="mermaid" tabindex="0" v-pre>${drawing(tokens[index].content)}</div>`
      : fence(tokens, index, ...rest);
}

function drawing(text) {
  const svg = renderMermaidSVG(text, { bg: 'var(--vp-c-bg)', fg: 'var(--vp-c-text-1)', transparent: true });
  // A style element would hold for the whole page, and fetch a font: what it says of colours goes to the element itself.
  const [, colours] = /svg \{([\s\S]*?)\n {2}\}/.exec(svg);
  const style = colours.replaceAll(/\/\*.*?\*\//g, '').replaceAll(/\s+/g, ' ');
  return svg
    .replace(/<style>[\s\S]*?<\/style>/, '')
    .replace(' style="', ` role="img" aria-label="Diagram" style="${style};`);
}
