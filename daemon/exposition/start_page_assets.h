// SPDX-License-Identifier: Apache-2.0
// What never changes on the start page: its style, its script, and what the browser may do with it.
#pragma once

#include <string_view>

namespace plimsoll {

/// Only what is on the page itself: no resource from anywhere, and of scripts only kStartPageScript, by the
/// SHA-256 of its text; tests/e2e/test_page.py says what the hash has to be when the script changes.
inline constexpr std::string_view kStartPagePolicy =
    "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; connect-src 'self'; "
    "script-src 'sha256-n6/jupC6ADwUMK/YOcP9M4P7V2ZMcG2oJ6fgUtC964c='; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n"
    "Referrer-Policy: no-referrer\r\n";

/// Replaces what the page shows without losing the reader's place, and says so when no fresh numbers come.
/// Without scripts a <meta> element reloads the page.
inline constexpr std::string_view kStartPageScript = R"js(
const note = document.getElementById("note");
const say = text => { note.textContent = text; note.hidden = !text; };
let busy = false;
async function refresh() {
  if (document.hidden || busy) return;
  if (!getSelection().isCollapsed) return say("Paused while text is selected.");
  busy = true;
  try {
    const url = location.origin + location.pathname + location.search;
    const answer = await fetch(url, {cache: "no-store", signal: AbortSignal.timeout(10000)});
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (!answer.ok) throw new Error(fresh ? fresh.textContent.trim() : "it answered " + answer.status);
    const link = document.activeElement.getAttribute("href");
    document.querySelector("main").replaceChildren(...fresh.childNodes);
    if (link) document.querySelector(`main a[href="${CSS.escape(link)}"]`)?.focus({preventScroll: true});
    say("");
  } catch (error) {
    say("No fresh numbers from the agent (" + error.message + "). Trying again.");
  }
  busy = false;
}
setInterval(refresh, 5000);
document.addEventListener("visibilitychange", refresh);
)js";

inline constexpr std::string_view kStartPageStyle = R"css(
:root{color-scheme:light dark;--back:#fff;--text:#1b1f24;--soft:#57606a;--line:#d0d7de;--bar:#e6e9ed;--bad:#b3261e;
--link:#0b57d0;--running:#2b8a3e;--runnable:#d9480f;--storage:#7048e8;--futex:#c2255c;--peers:#1971c2;--idle:#8a929b;
--odd:#343a40;--memory:#0b7285}
@media (prefers-color-scheme:dark){:root{--back:#14171a;--text:#e8eaed;--soft:#a3abb4;--line:#353b42;--bar:#2b3138;
--bad:#ff8a80;--link:#8ab4f8;--running:#40c057;--runnable:#ff922b;--storage:#9775fa;--futex:#f06595;--peers:#4dabf7;
--idle:#78818b;--odd:#f1f3f5;--memory:#3bc9db}}
*{box-sizing:border-box}
body{margin:0 auto;padding:1rem;max-width:100rem;background:var(--back);color:var(--text);
font:15px/1.4 system-ui,sans-serif;font-variant-numeric:tabular-nums}
h1{display:inline;font-size:1.25rem;margin:0}
header p{display:inline;margin:0 0 0 1rem}
main p,footer p{margin:.4rem 0}
a{color:var(--link)}
nav{display:inline}
nav a{margin-left:1rem}
.soft,footer{color:var(--soft)}
.bad{color:var(--bad);font-weight:600}
#note{position:sticky;top:0;z-index:1;margin:.5rem 0;padding:.4rem .6rem;background:var(--back);color:var(--bad);
border:1px solid var(--bad)}
#note[hidden]{display:none}
table{width:100%;table-layout:fixed;border-collapse:collapse;margin-top:.6rem}
th,td{padding:.35rem .6rem .35rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
font-weight:400;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
thead th{font-weight:600;white-space:normal}
thead a{color:inherit}
th[aria-sort] a{color:var(--link)}
tbody th b,tbody th span,td .text{display:block;overflow:hidden;text-overflow:ellipsis}
tbody th span{color:var(--soft);font-size:.85em}
tr.ended{color:var(--soft)}
tr.ended .bar{opacity:.5}
.small{font-size:.85em}
.c0{width:19%}.c1{width:12%}.c2{width:11%}.c3{width:15%}.c4{width:23%}.c5{width:9%}.c6{width:11%}
.bar{position:relative;display:flex;height:.55rem;margin-top:.2rem;background:var(--bar);border-radius:2px;
overflow:hidden}
.bar i{display:block;height:100%}
.bar i+i{border-left:1px solid var(--back)}
.bar u{position:absolute;top:0;bottom:0;width:2px;margin-left:-2px;background:var(--text)}
.states{height:.8rem}
.states i{min-width:1px}
.running{background:var(--running)}.runnable{background:var(--runnable)}.storage{background:var(--storage)}
.futex{background:var(--futex)}.peers{background:var(--peers)}.idle{background:var(--idle)}.odd{background:var(--odd)}
.memory{background:var(--memory)}.full{background:var(--bad)}
.legend{list-style:none;margin:.6rem 0;padding:0;display:flex;flex-wrap:wrap;gap:.2rem 1.2rem;font-size:.85em}
.legend i{display:inline-block;width:.8em;height:.8em;margin-right:.4em;border-radius:2px}
@media (max-width:48rem){
body{padding:.6rem}
header p,nav{display:block;margin:.2rem 0}
nav a{margin:0 1rem 0 0}
table,tbody{display:block}
thead tr{display:flex;flex-wrap:wrap;gap:.2rem 1rem}
thead th{border:0;padding:0}
thead th:not([data-sort]){display:none}
tbody tr{display:grid;grid-template-columns:repeat(3,1fr);border-bottom:1px solid var(--line);padding:.5rem 0}
tbody th,tbody td{border:0;padding:.1rem .5rem .1rem 0}
tbody th,.c4{grid-column:1/-1}
tbody td::before{content:attr(data-label);display:block;color:var(--soft);font-size:.75em}
.c0,.c1,.c2,.c3,.c4,.c5,.c6{width:auto}
}
)css";

}  // namespace plimsoll
