/** Style of the page around tables and charts: text, contents, findings. */
export const page = `
* {
  box-sizing: border-box;
}
body {
  margin: 0 auto;
  max-width: 100rem;
  padding: 1.5rem 1rem 4rem;
  font:
    16px/1.55 system-ui,
    "Noto Sans CJK SC",
    sans-serif;
  color: var(--ink);
  background: var(--paper);
}
html[data-lang="en"] .report:not([data-lang="en"]),
html[data-lang="zh-CN"] .report:not([data-lang="zh-CN"]) {
  display: none;
}
main {
  min-width: 0;
}
nav {
  font-size: 0.88rem;
}
.buttons {
  display: flex;
  flex-wrap: wrap;
  gap: 0.5rem;
}
nav ol {
  list-style: none;
  margin: 0.4rem 0;
  padding: 0;
}
nav li {
  padding: 0.12rem 0;
}
nav a {
  color: var(--soft);
  text-decoration: none;
}
nav a:hover,
nav a:focus-visible {
  color: var(--ink);
  text-decoration: underline;
}
nav details {
  margin-top: 0.8rem;
}
@media (min-width: 75rem) {
  .report {
    display: grid;
    grid-template-columns: 13rem minmax(0, 1fr);
    gap: 2.5rem;
  }
  nav {
    position: sticky;
    top: 1.5rem;
    align-self: start;
    max-height: calc(100vh - 3rem);
    overflow-y: auto;
  }
}
nav button {
  font: inherit;
  color: var(--soft);
  background: none;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  padding: 0.2rem 0.7rem;
  cursor: pointer;
}
nav button:hover,
nav button:focus-visible {
  color: var(--ink);
  border-color: var(--soft);
}
h1 {
  font-size: 1.7rem;
  line-height: 1.25;
  margin-top: 0.5rem;
}
h2 {
  margin-top: 2.5rem;
  font-size: 1.2rem;
  border-bottom: 1px solid var(--line);
  padding-bottom: 0.3rem;
  scroll-margin-top: 1rem;
}
h2 a {
  color: inherit;
  text-decoration: none;
}
h2 a:hover::after,
h2 a:focus-visible::after {
  content: " #";
  color: var(--soft);
}
p,
li {
  max-width: 60rem;
  overflow-wrap: anywhere;
}
li {
  margin: 0.25rem 0;
}
.lead {
  font-size: 1.05rem;
}
.note {
  margin: 0.1rem 0;
  font-size: 0.85rem;
  color: var(--soft);
}
.note:last-of-type {
  margin-bottom: 1rem;
}
details {
  margin-top: 0.3rem;
  color: var(--soft);
}
summary {
  cursor: pointer;
}
.finding {
  border-left: 0.25rem solid var(--info);
  padding: 0.1rem 0.8rem;
  margin: 0.6rem 0;
}
.finding p {
  margin: 0.2rem 0;
}
.finding.warning {
  border-color: var(--warning);
}
.finding.error {
  border-color: var(--error);
}
pre {
  overflow-x: auto;
  padding: 0.8rem;
  border: 1px solid var(--line);
  border-radius: 0.4rem;
  font-size: 0.85rem;
}`;
