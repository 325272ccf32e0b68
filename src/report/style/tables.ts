/** Style of tables: they scroll, their first column stays, their columns sort. */
export const tables = `
.scroll {
  overflow-x: auto;
  max-width: 100%;
  /* Shadows at the edges behind which columns are hidden. */
  background:
    linear-gradient(to right, var(--paper) 30%, transparent) 0 0 / 2rem 100% no-repeat local,
    linear-gradient(to left, var(--paper) 30%, transparent) 100% 0 / 2rem 100% no-repeat local,
    linear-gradient(to left, var(--line), transparent) 100% 0 / 0.8rem 100% no-repeat scroll;
}
table {
  border-collapse: collapse;
  margin: 0.5rem 0 0.4rem;
  font-variant-numeric: tabular-nums;
  font-size: 0.9rem;
}
caption {
  text-align: left;
  color: var(--soft);
  padding: 0.3rem 0;
}
th,
td {
  padding: 0.3rem 0.6rem;
  border-bottom: 1px solid var(--line);
  text-align: left;
  vertical-align: top;
}
table.numbers td,
table.numbers thead th:not(:first-child) {
  text-align: right;
}
table.numbers td {
  white-space: nowrap;
}
table.numbers td:last-child {
  white-space: normal;
}
table.numbers thead th {
  vertical-align: bottom;
}
table.numbers tr > :first-child {
  position: sticky;
  left: 0;
  background: var(--paper);
  min-width: min(7rem, 28vw);
  max-width: min(18rem, 40vw);
  overflow-wrap: break-word;
}
tbody tr:hover > * {
  background: var(--shade);
}
button.sort {
  font: inherit;
  font-weight: inherit;
  color: inherit;
  text-align: inherit;
  background: none;
  border: 0;
  padding: 0;
  cursor: pointer;
}
button.sort:hover,
button.sort:focus-visible {
  text-decoration: underline;
}
th[aria-sort="ascending"] button::after {
  content: " ▲";
  font-size: 0.7em;
}
th[aria-sort="descending"] button::after {
  content: " ▼";
  font-size: 0.7em;
}
td small {
  display: block;
  font-weight: 400;
  white-space: nowrap;
  color: var(--soft);
}
td.best {
  font-weight: 700;
  color: var(--best);
}`;
