/** Style of charts, their legends and tips. */
export const charts = `
.charts {
  display: grid;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
  gap: 1.5rem 2.5rem;
}
figure {
  margin: 0.5rem 0;
  min-width: 0;
}
figure > svg {
  display: block;
  width: 100%;
  height: auto;
}
figcaption {
  font-weight: 600;
  margin-bottom: 0.3rem;
}
.legend {
  display: flex;
  flex-wrap: wrap;
  gap: 0.2rem 1rem;
  list-style: none;
  padding: 0;
  margin: 0.3rem 0;
  font-size: 0.85rem;
}
.legend svg {
  width: 0.7rem;
  height: 0.7rem;
  margin-right: 0.35rem;
}
[data-tip]:hover {
  opacity: 0.7;
}
#tip {
  position: fixed;
  z-index: 2;
  max-width: 22rem;
  padding: 0.4rem 0.6rem;
  font-size: 0.85rem;
  white-space: pre-line;
  overflow-wrap: anywhere;
  pointer-events: none;
  color: var(--ink);
  background: var(--paper);
  border: 1px solid var(--soft);
  border-radius: 0.4rem;
}`;
