/**
 * Makes every text of the page one that is shown: a label or a file name of others may hold
 * characters that turn the direction of what stands beside it.
 */
import { options } from 'preact';
import { shown } from '../src/shown-text.js';

const texts = (child) =>
  typeof child === 'string' ? shown(child) : Array.isArray(child) ? child.map(texts) : child;

const before = options.vnode;

options.vnode = (vnode) => {
  const { type, props } = vnode;
  if (typeof type === 'string')
    for (const name of ['children', 'title', 'aria-label'])
      if (props[name] !== undefined) props[name] = texts(props[name]);
  before?.(vnode);
};
