import { type HtmlPart, html, type SafeHtml } from './html.js';

export interface TableColumn {
  readonly label: HtmlPart;
  /** A second line under the label: a unit, a direction. */
  readonly note?: HtmlPart;
  /** Numbers are right-aligned. */
  readonly numeric?: boolean;
}

export interface TableCell {
  readonly content: HtmlPart;
  /** A second line under the content. */
  readonly note?: HtmlPart;
  /** A share in [0, 1], drawn as a bar under the content. */
  readonly bar?: number;
}

export interface TableRow {
  /** One per column; the first is the row header. */
  readonly cells: readonly TableCell[];
  readonly emphasised?: boolean;
  /** Separated from the rows above by a line, like a total. */
  readonly total?: boolean;
}

/** A table that scrolls horizontally on narrow screens with a fixed first column. */
export function htmlTable(columns: readonly TableColumn[], rows: readonly TableRow[]): SafeHtml {
  const side = (column: number) => columns[column].numeric && html` class="number"`;
  const note = (content: HtmlPart) => content !== undefined && html`<small>${content}</small>`;
  const head = columns.map(
    ({ label, note: under }, column) => html`<th scope="col"${side(column)}>${label}${note(under)}</th>`,
  );
  const body = rows.map(({ cells, emphasised, total }) => {
    const rowCells = cells.map(({ content, note: under, bar }, column) => {
      if (column === 0) return html`<th scope="row">${content}${note(under)}</th>`;
      const percent = (100 * Math.min(1, Math.max(0, bar ?? 0))).toFixed(1);
      const barUnder = bar !== undefined && html`<i class="bar" style="--bar:${percent}%"></i>`;
      return html`<td${side(column)}>${content}${barUnder}${note(under)}</td>`;
    });
    const kind = [emphasised && 'emphasised', total && 'total'].filter(Boolean).join(' ');
    return html`<tr${kind !== '' && html` class="${kind}"`}>${rowCells}</tr>`;
  });
  return html`<div class="scroll"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}
