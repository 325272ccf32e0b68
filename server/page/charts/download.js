/** Saves a chart as an SVG file that shows the same outside the page. */

/** The chart as text, with the colors and the font that it has in the page. */
function standalone(svg) {
  const copy = svg.cloneNode(true);
  const { color, fontFamily } = getComputedStyle(svg);
  const background = getComputedStyle(svg.closest('.card') ?? document.body).backgroundColor;
  copy.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  Object.assign(copy.style, { color, fontFamily, background });
  return new XMLSerializer().serializeToString(copy);
}

export function downloadSvg(svg, name) {
  const url = URL.createObjectURL(new Blob([standalone(svg)], { type: 'image/svg+xml' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = `${name.replaceAll(/[^\p{L}\p{N}]+/gu, '-').replaceAll(/^-|-$/g, '')}.svg`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
