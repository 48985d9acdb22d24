/** Light and dark by the reader's setting, on a ground of its own: legible on any page. */
const STYLE = `
.ground{fill:#fff;stroke:#d0d7de}
text{font:12px -apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:#1f2328}
.faint{fill:#656d76}
.grid{stroke:#d8dee4}
.frame,.mark{stroke:#656d76;fill:none}
.mark{stroke-dasharray:2 3}
.line{fill:none;stroke-width:1.8}
.p0{stroke:#0969da;fill:#0969da}.p1{stroke:#8250df;fill:#8250df}.p2{stroke:#1a7f37;fill:#1a7f37}.p3{stroke:#bf3989;fill:#bf3989}
.line.p0,.line.p1,.line.p2,.line.p3{fill:none}
.late{fill:#fff}
.gap{fill:none;stroke-width:1;stroke-dasharray:1 4}
.limit{stroke:#cf222e;stroke-width:1.3;stroke-dasharray:6 4}
.hysteresis{fill:#cf222e;opacity:.1}
.limits{fill:#a40e26}
.pending{fill:#d4a72c}.firing{fill:#cf222e}.recovering{fill:#218bff}.unknown{fill:#8c959f}
.fired{fill:#a40e26;font-weight:600}.resolved{fill:#1a7f37;font-weight:600}.other{fill:#656d76;font-weight:600}
.fired,.resolved,.other{paint-order:stroke;stroke:#fff;stroke-width:4px}
.box{fill:#f6f8fa;stroke:#656d76;stroke-width:1.4}
.arrow{fill:none;stroke:#656d76;stroke-width:1.4}
.head{fill:#656d76}
.name{font-size:15px;font-weight:600}
@media (prefers-color-scheme:dark){
.ground{fill:#0d1117;stroke:#30363d}
text{fill:#e6edf3}
.faint{fill:#8d96a0}
.grid{stroke:#21262d}
.frame,.mark{stroke:#8d96a0}
.p0{stroke:#4493f8;fill:#4493f8}.p1{stroke:#ab7df8;fill:#ab7df8}.p2{stroke:#3fb950;fill:#3fb950}.p3{stroke:#db61a2;fill:#db61a2}
.late{fill:#0d1117}
.limit{stroke:#f85149}
.hysteresis{fill:#f85149;opacity:.18}
.limits,.fired{fill:#ff7b72}.resolved{fill:#3fb950}.other{fill:#8d96a0}
.fired,.resolved,.other{stroke:#0d1117}
.pending{fill:#d29922}.firing{fill:#f85149}.recovering{fill:#4493f8}.unknown{fill:#6e7681}
.box{fill:#161b22;stroke:#8d96a0}
.arrow{stroke:#8d96a0}
.head{fill:#8d96a0}
}`;

/** A whole picture; `title` is read to those who cannot see it. */
export function svg(title: string, width: number, height: number, parts: readonly string[]): string {
  const rules = STYLE.split('\n').filter(({ length }) => length > 0);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<style>${rules.join('\n')}</style>`,
    `<rect class="ground" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...parts,
    '</svg>',
    '',
  ].join('\n');
}

/** Numbers of an attribute, to a tenth of a pixel. */
export const px = (value: number): string => `${Math.round(value * 10) / 10}`;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

export interface Label {
  x: number;
  y: number;
  text: string;
  className?: string;
  anchor?: 'start' | 'middle' | 'end';
}

export function label({ x, y, text, className = '', anchor = 'start' }: Label): string {
  const attributes = [className && ` class="${className}"`, anchor !== 'start' && ` text-anchor="${anchor}"`];
  const given = attributes.filter((one) => one !== false).join('');
  return `<text x="${px(x)}" y="${px(y)}"${given}>${escaped(text)}</text>`;
}

export function line(className: string, [x1, y1]: [number, number], [x2, y2]: [number, number]): string {
  return `<line class="${className}" x1="${px(x1)}" y1="${px(y1)}" x2="${px(x2)}" y2="${px(y2)}"/>`;
}

export function box(className: string, x: number, y: number, width: number, height: number, rx = 0): string {
  const round = rx > 0 ? ` rx="${rx}"` : '';
  return `<rect class="${className}" x="${px(x)}" y="${px(y)}" width="${px(width)}" height="${px(height)}"${round}/>`;
}

/** About how wide a text is, in pixels. */
export const widthOf = (text: string): number => text.length * 6.8;
