/** Builds elements. Text is always set as text, so that user input never becomes markup. */

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [properties] attributes; those named `on…` are listeners
 * @param {...(Node|string|null|false|undefined)} children
 */
export function element(tag, properties = {}, ...children) {
  return fill(document.createElement(tag), properties, children);
}

export function svg(tag, properties = {}, ...children) {
  return fill(document.createElementNS('http://www.w3.org/2000/svg', tag), properties, children);
}

function fill(node, properties, children) {
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'value' || name === 'checked' || name === 'selected' || name === 'disabled')
      node[name] = value;
    else node.setAttribute(name, value === true ? '' : String(value));
  }
  node.append(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
  return node;
}

/** Announces a text to screen readers. */
export function announce(text) {
  document.getElementById('announcer').textContent = text;
}

export function replace(parent, ...children) {
  parent.replaceChildren(
    ...children.flat().filter((child) => child !== null && child !== undefined && child !== false),
  );
}

/** Note that shows while the server cannot be reached; screen readers announce it. */
export function connectionNote() {
  const node = element('p', { class: 'problem', role: 'status', hidden: true });
  return {
    node,
    lost: () => {
      if (!node.hidden) return;
      node.hidden = false;
      node.textContent = 'The server cannot be reached; trying again. The values shown may be old.';
    },
    back: () => {
      node.hidden = true;
      node.textContent = '';
    },
  };
}
