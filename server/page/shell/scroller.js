/** A box for a wide table that says how many of its columns are out of sight. */
import { html } from 'htm/preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { words } from '../language/words.js';

/** Number of column headings that lie beyond the left or the right edge of a box. */
function hiddenColumns(box) {
  const { left, right } = box.getBoundingClientRect();
  const [first, ...others] = box.querySelectorAll('thead tr:last-child > *');
  // On a phone, the list has cards instead of columns.
  if (first === undefined || !first.checkVisibility()) return { left: 0, right: 0 };
  const edge = Math.max(left, first.getBoundingClientRect().right);
  const beyond = { left: 0, right: 0 };
  for (const heading of others) {
    const place = heading.getBoundingClientRect();
    if (place.right > right + 2) beyond.right += 1;
    else if (place.left < edge - 2) beyond.left += 1;
  }
  return beyond;
}

export function Scroller({ label, children }) {
  const box = useRef(null);
  const [beyond, setBeyond] = useState({ left: 0, right: 0 });
  useEffect(() => {
    const node = box.current;
    const measure = () => {
      const next = hiddenColumns(node);
      setBeyond((old) => (old.left === next.left && old.right === next.right ? old : next));
    };
    const observer = new ResizeObserver(measure);
    observer.observe(node);
    if (node.firstElementChild !== null) observer.observe(node.firstElementChild);
    node.addEventListener('scroll', measure, { passive: true });
    return () => {
      observer.disconnect();
      node.removeEventListener('scroll', measure);
    };
  }, []);
  const { left, right } = beyond;
  return html`
    <div class="scroller">
      <p class="beyond small soft" aria-hidden="true" hidden=${left + right === 0}>
        <span>${left > 0 ? `← ${words().results.beyond(left)}` : ''}</span>
        <span>${right > 0 ? `${words().results.beyond(right)} →` : ''}</span>
      </p>
      <div class="scroll" tabindex="0" role="region" aria-label=${label} ref=${box}>
        ${children}
      </div>
    </div>
  `;
}
