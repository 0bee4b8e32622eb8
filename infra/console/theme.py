"""Theme: the console's colours and measures, light and dark, and how its parts look.

Text has a contrast of 4.5:1 or more on everything it stands on (WCAG 2.2 AA); a test asks axe.
"""

from __future__ import annotations

STYLE = """
:root {
  --page: #f5f6f8; --card: #ffffff; --line: #d9dde3; --text: #1b2330; --soft: #566072;
  --accent: #3447c9; --accent-soft: #e8ebfc; --on-accent: #ffffff;
  --good: #11693f; --good-soft: #dcf3e6; --bad: #b1202f; --bad-soft: #fce4e6;
  --wait: #7a4b00; --wait-soft: #fdeecb; --busy: #1d5b9c; --busy-soft: #dcebfb;
  --idle: #4f5968; --idle-soft: #e7eaee; --code: #f0f2f5;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", "DejaVu Sans Mono", Menlo, monospace;
  --nicegui-default-padding: 1rem; --nicegui-default-gap: .75rem;
}
body.body--dark {
  --page: #11151c; --card: #1a2029; --line: #333c4a; --text: #e8ebf0; --soft: #a5afbf;
  --accent: #9fabff; --accent-soft: #262e57; --on-accent: #10142b;
  --good: #76d9a1; --good-soft: #143624; --bad: #ff9aa3; --bad-soft: #4a1a20;
  --wait: #f3c56b; --wait-soft: #43310c; --busy: #8cc1f7; --busy-soft: #15314e;
  --idle: #b4bdca; --idle-soft: #2c3441; --code: #12171f;
}
body { background: var(--page); color: var(--text); font-size: 15px; line-height: 1.45;
  font-family: system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
body a, a.nicegui-link { color: var(--accent); text-decoration: none; }
body a:hover { text-decoration: underline; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 3px; }
.sq-header { background: var(--card); color: var(--text); border-bottom: 1px solid var(--line);
  align-items: center; padding: .4rem 1rem; gap: .6rem; box-shadow: none; flex-wrap: nowrap; }
.sq-brand { font-weight: 700; font-size: 1.05rem; color: var(--text); }
.sq-nav { background: var(--card); padding: .75rem .5rem; gap: .15rem; color: var(--text); }
.sq-nav ul { list-style: none; margin: 0; padding: 0; width: 100%; }
.sq-nav li a { display: flex; gap: .7rem; align-items: center; padding: .45rem .7rem;
  border-radius: 6px; color: var(--text); }
.sq-nav li a:hover { background: var(--idle-soft); text-decoration: none; }
.sq-nav li a[aria-current] { background: var(--accent-soft); color: var(--accent);
  font-weight: 600; }
.sq-nav .sq-key { margin-left: auto; }
.sq-nav li a > * { white-space: nowrap; }
.sq-main { width: 100%; max-width: 1500px; margin: 0 auto; padding: 0; display: flex;
  flex-direction: column; gap: 1rem; }
.sq-main h1 { font-size: 1.45rem; line-height: 1.25; font-weight: 650; margin: 0;
  overflow-wrap: anywhere; }
.sq-main h2 { font-size: 1.05rem; line-height: 1.3; font-weight: 650; margin: 0; }
.q-dialog h2 { font-size: 1.15rem; line-height: 1.3; font-weight: 650; margin: 0;
  overflow-wrap: anywhere; }
.sq-row { display: flex; flex-wrap: wrap; gap: .6rem; align-items: center; }
.sq-grow { flex: 1 1 auto; min-width: 0; }
.sq-card { background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  padding: 1rem; width: 100%; min-width: 0; display: flex; flex-direction: column; gap: .75rem; }
.sq-grid { display: grid; gap: 1rem; width: 100%;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 15rem), 1fr)); }
.sq-halves { grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); }
.sq-figure { font-size: 1.7rem; font-weight: 650; font-variant-numeric: tabular-nums;
  line-height: 1.2; }
.sq-tight { padding: .7rem .9rem; gap: .1rem; }
.sq-figures { grid-template-columns: repeat(auto-fit, minmax(min(100%, 9.5rem), 1fr)); }
.sq-bad, a.sq-bad { color: var(--bad); }
.sq-chart { display: flex; align-items: flex-end; gap: 2px; height: 6rem; width: 100%;
  background: var(--code); border-radius: 6px; padding: 4px; overflow: hidden; }
.sq-chart-bar { flex: 1 1 4px; max-width: 12px; height: 100%; display: flex;
  flex-direction: column; justify-content: flex-end; }
.sq-filter { min-width: 9rem; flex: 1 1 9rem; max-width: 14rem; }
.sq-soft { color: var(--soft); }
.sq-small { font-size: .85rem; }
.sq-mono { font-family: var(--mono); font-size: .88em; overflow-wrap: anywhere; }
.sq-code { font-family: var(--mono); font-size: .85rem; background: var(--code);
  border: 1px solid var(--line); border-radius: 6px; padding: .7rem; margin: 0; width: 100%;
  white-space: pre-wrap; overflow-wrap: anywhere; max-height: 26rem; overflow-y: auto;
  color: var(--text); }
.sq-key { font-family: var(--mono); font-size: .75rem; border: 1px solid var(--line);
  border-radius: 4px; padding: 0 .3rem; color: var(--soft); }
.sq-chip { display: inline-block; padding: .05rem .55rem; border-radius: 999px; font-size: .85rem;
  font-weight: 600; white-space: nowrap; }
.sq-chip-working { background: var(--busy-soft); color: var(--busy); }
.sq-chip-input_required, .sq-chip-parked, .sq-chip-paused { background: var(--wait-soft);
  color: var(--wait); }
.sq-chip-completed { background: var(--good-soft); color: var(--good); }
.sq-chip-failed { background: var(--bad-soft); color: var(--bad); }
.sq-chip-cancelled, .sq-chip-idle { background: var(--idle-soft); color: var(--idle); }
.sq-form { display: flex; flex-direction: column; gap: .75rem; width: 100%; }
.sq-empty { text-align: center; padding: 2.5rem 1rem; color: var(--soft); width: 100%; }
.sq-empty .q-icon { font-size: 2.2rem; }
.sq-error { border-left: 4px solid var(--bad); }
.sq-facts { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .3rem 1rem;
  margin: 0; width: 100%; }
.sq-facts dt { color: var(--soft); }
.sq-facts dd { margin: 0; overflow-wrap: anywhere; }
.sq-main summary { cursor: pointer; display: list-item; }
.sq-main details > summary + * { margin-top: .75rem; }
@media (min-width: 1100px) {
  .sq-facts-two { grid-template-columns: max-content minmax(0, 1fr) max-content minmax(0, 1fr); }
}
.sq-table { width: 100%; overflow-x: auto; }
.sq-table table { width: 100%; border-collapse: collapse; }
.sq-table th { text-align: left; font-weight: 600; color: var(--soft); font-size: .85rem;
  padding: .4rem .6rem; border-bottom: 1px solid var(--line); white-space: nowrap; }
.sq-table td { padding: .45rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
.sq-table tr:last-child td { border-bottom: 0; }
.sq-table tbody tr:hover { background: var(--idle-soft); }
.sq-table tr.sq-at { background: var(--accent-soft); box-shadow: inset 3px 0 0 var(--accent); }
.sq-tasks { width: 100%; background: transparent; color: var(--text); }
.sq-tasks .q-table th { color: var(--soft); font-size: .85rem; font-weight: 600; }
.sq-tasks .q-table th, .sq-tasks .q-table td { border-color: var(--line); }
.sq-tasks .q-table tbody td { font-size: .95rem; padding: .45rem .6rem; vertical-align: top; }
.sq-tasks .q-table th { padding: .4rem .6rem; }
.sq-tasks tr.sq-at { background: var(--accent-soft); box-shadow: inset 3px 0 0 var(--accent); }
.sq-gantt { list-style: none; margin: 0; padding: 0; width: 100%; }
.sq-gantt-row { display: grid; grid-template-columns: minmax(9rem, 15rem) minmax(6rem, 1fr) 17rem;
  gap: .1rem .8rem; align-items: center; padding: .3rem 0; border-bottom: 1px solid var(--line); }
.sq-gantt-row:last-child { border-bottom: 0; }
.sq-gantt-name, .sq-gantt-said { display: flex; flex-wrap: wrap; gap: .1rem .5rem; min-width: 0;
  overflow-wrap: anywhere; align-items: baseline; font-size: .9rem; }
.sq-gantt-kind { font-weight: 600; }
.sq-gantt-track { position: relative; height: .95rem; background: var(--code); border-radius: 3px; }
.sq-gantt-bar { position: absolute; top: 0; bottom: 0; border-radius: 3px; min-width: 3px;
  background: var(--idle); }
.sq-gantt-completed { background: var(--good); } .sq-gantt-failed { background: var(--bad); }
.sq-gantt-working, .sq-gantt-attempt { background: var(--busy); }
.sq-gantt-ask, .sq-gantt-sleep { background: var(--wait); }
.sq-gantt-step, .sq-gantt-turn, .sq-gantt-child { background: var(--accent); }
.sq-gantt-word-failed { color: var(--bad); font-weight: 600; }
.sq-gantt-word-completed { color: var(--good); }
.sq-gantt-detail { grid-column: 1 / -1; color: var(--soft); font-size: .85rem;
  overflow-wrap: anywhere; }
.sq-gantt-scale { display: flex; justify-content: space-between; color: var(--soft);
  font-size: .8rem; margin: 0 17.8rem 0 calc(min(15rem, 25%) + .8rem); }
.sq-graph { width: 100%; overflow-x: auto; }
.sq-graph svg { min-width: 12rem; height: auto; }
.sq-number { text-align: right !important; font-variant-numeric: tabular-nums;
  white-space: nowrap; }
.sq-nowrap { white-space: nowrap; }
.sq-chart { width: 100%; height: 20rem; }
.sq-chart svg text { fill: var(--soft); }
.sq-table .q-btn { white-space: nowrap; }
.sq-table .q-btn__content { flex-wrap: nowrap; }
.q-btn { text-transform: none; font-weight: 600; }
.sq-button { border: 1px solid var(--line); background: var(--card); color: var(--text); }
.sq-button-main { background: var(--accent); color: var(--on-accent); }
.sq-button-bad { border: 1px solid var(--bad); color: var(--bad); background: var(--card); }
.sq-live { width: .55rem; height: .55rem; border-radius: 50%; background: var(--good);
  display: inline-block; }
.sq-live-off { background: var(--idle); }
body.body--dark .q-field__label, body.body--dark .q-field__native,
body.body--dark .q-field__append { color: var(--text); }
.q-field__label { color: var(--soft); }
.q-field--outlined .q-field__control { background: var(--card); }
.q-card, .q-menu { background: var(--card); color: var(--text); }
.q-notification { font-weight: 600; }
@media (max-width: 599px) {
  .nicegui-content { padding: .75rem; }
  .sq-wide { display: none !important; }
  .sq-facts { grid-template-columns: minmax(4.5rem, max-content) minmax(0, 1fr); }
  .sq-tasks thead { display: none; }
  .sq-tasks tbody tr { display: flex; flex-wrap: wrap; gap: .2rem .7rem; padding: .5rem .3rem;
    height: auto; border-bottom: 1px solid var(--line); }
  .sq-tasks .q-table tbody td { border: 0; padding: 0; height: auto; white-space: normal; }
  .sq-tasks .q-table tbody td.sq-says { flex-basis: 100%; color: var(--soft); }
  .sq-tasks .q-table tbody td.sq-says:empty { display: none; }
  .sq-gantt-row { grid-template-columns: minmax(0, 1fr); }
  .sq-gantt-scale { margin: 0; }
  .sq-stack thead { display: none; }
  .sq-stack tr, .sq-stack td { display: block; }
  .sq-stack tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  .sq-stack td { border: 0; padding: .1rem 0; overflow-wrap: anywhere; }
  .sq-stack td.sq-number { text-align: left !important; white-space: normal; }
  .sq-stack td > * { display: inline-block; }
  .sq-stack td:not([data-name="Act"])::before { content: attr(data-name) ": ";
    color: var(--soft); font-size: .85rem; }
  .sq-header { padding: .3rem .6rem; }
}
@media (prefers-reduced-motion: no-preference) {
  .sq-live:not(.sq-live-off) { animation: sq-pulse 2s infinite; }
  @keyframes sq-pulse { 50% { opacity: .45; } }
}
"""
"""Classes start with `sq-`; NiceGUI's and Quasar's own are left as they are where that will do."""
