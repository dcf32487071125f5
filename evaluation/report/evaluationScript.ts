import { html } from '#src/tracking';

/** Sorts tables by their heads and shows the attention of words; without it the page still has every number. */
export const evaluationScript = html`
for (const figure of document.querySelectorAll('.trace')) {
  const cells = [...figure.querySelectorAll('.cells i')];
  const note = figure.querySelector('.trace-note');
  const buttons = [...figure.querySelectorAll('.words button')];
  const show = (button) => {
    for (const other of buttons) other.setAttribute('aria-pressed', String(other === button));
    const levels = button.dataset.patches;
    cells.forEach((cell, i) => { cell.style.opacity = 0.82 * (1 - parseInt(levels.slice(2 * i, 2 * i + 2), 16) / 255); });
    note.textContent = button.dataset.note;
  };
  for (const button of buttons) {
    for (const event of ['mouseenter', 'focus', 'click']) button.addEventListener(event, () => show(button));
  }
  const peak = (button) => Number(button.dataset.peak);
  if (buttons.length > 0) show(buttons.reduce((a, b) => (peak(b) > peak(a) ? b : a)));
}
for (const table of document.querySelectorAll('.sortable')) {
  const heads = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  for (const [column, head] of heads.entries()) {
    const button = head.querySelector('button');
    if (!button) continue;
    button.addEventListener('click', () => {
      const descending = head.getAttribute('aria-sort') !== 'descending';
      for (const other of heads) other.removeAttribute('aria-sort');
      head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
      const keyOf = (row) => row.cells[column].dataset.value ?? row.cells[column].textContent;
      const compare = (a, b) => (a - b || (a < b ? -1 : a > b ? 1 : 0));
      const order = descending ? -1 : 1;
      body.append(...[...body.rows].sort((a, b) => order * compare(keyOf(a), keyOf(b))));
    });
  }
}
`;
