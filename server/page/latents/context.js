/** A context of a latent: the text, and its token in a color as strong as the activation. */
import { html } from 'htm/preact';

/** Characters of a short context, before the token and after it. */
const shortBefore = 28;
const shortAfter = 16;

/** Text in which breaks and tabs show. */
const visible = (text) => text.replaceAll('\n', '⏎').replaceAll('\t', '⇥');

/**
 * @param max the largest activation, which gets the strongest color
 * @param short whether only its middle is shown, on one line
 */
export function ContextText({ context, max, short = false }) {
  const { before, token, after, tokenId, value } = context;
  const strength = Math.round(100 * Math.min(1, Math.max(0.15, max > 0 ? value / max : 1)));
  const color = `color-mix(in srgb, var(--accent) ${Math.round(0.6 * strength)}%, transparent)`;
  const left = visible(before ?? '');
  const right = visible(after ?? '');
  return html`
    <span class=${short ? 'context short' : 'context'}
      >${short ? left.slice(-shortBefore) : left}<mark style=${{ background: color }}
        >${token === null ? `#${tokenId}` : visible(token)}</mark
      >${short ? right.slice(0, shortAfter) : right}</span
    >
  `;
}
