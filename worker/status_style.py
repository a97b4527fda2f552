"""How the status page looks: on telephones and wide screens, in light and in dark."""

STYLE = """
:root{--page:#f6f7f9;--card:#fff;--text:#1b2430;--soft:#5b6776;--line:#dfe3e8;--good:#0b7a4b;--bad:#b42318;
--read:#8a94a3;--results:#1d63d8;--dead:#c2410c;--negative:#c2410c;--neutral:#8a94a3;--positive:#0f766e}
@media(prefers-color-scheme:dark){:root{--page:#11151b;--card:#1a2029;--text:#e6eaf0;--soft:#9aa6b5;--line:#2c3540;
--good:#3ecf8e;--bad:#ff7a6b;--read:#8a94a3;--results:#6ea8ff;--dead:#fb923c;--negative:#fb923c;--neutral:#8a94a3;
--positive:#2dd4bf}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--text);font:15px/1.45 system-ui,sans-serif}
main{max-width:1160px;margin:0 auto;padding:16px}
h1{font-size:1.25rem;margin:0;font-weight:500;overflow-wrap:anywhere}
h2{font-size:1rem;margin:0 0 8px}
p{margin:4px 0;color:var(--soft)}
.badge{display:inline-block;padding:1px 10px;border-radius:999px;border:2px solid;font-weight:700}
.good{color:var(--good)}.bad{color:var(--bad)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(140px,1fr));gap:10px;margin:14px 0}
.tiles div,section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
dt{color:var(--soft);font-size:.85rem}dd{margin:0;font-size:1.6rem;font-weight:600;font-variant-numeric:tabular-nums}
small{color:var(--soft)}
.grid{columns:2 440px;column-gap:12px;margin-bottom:12px}
section{margin:0 0 12px;break-inside:avoid}.grid section:last-child{margin:0}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th{color:var(--soft);font-weight:500;text-align:left}
td,th{padding:4px 8px 4px 0;border-bottom:1px solid var(--line);vertical-align:middle}
tbody tr:last-child td{border-bottom:0}
.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
td.chart{width:45%}
.code{font-family:ui-monospace,monospace;font-size:.82rem;overflow-wrap:anywhere}
.settings{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,320px),1fr));column-gap:28px;margin:0;
padding:0;list-style:none}
.settings li{display:flex;justify-content:space-between;gap:12px;padding:4px 0;border-bottom:1px solid var(--line)}
.settings li span+span{text-align:right}
.default{color:var(--soft)}
.nothing{font-style:italic}
svg{display:block;width:100%}
.plot{height:120px;border-bottom:1px solid var(--line);border-top:1px solid var(--line)}
.spark{height:22px}.stack{height:20px;border-radius:5px}.bar{height:8px}
polyline{fill:none;stroke-width:2;vector-effect:non-scaling-stroke;stroke-linejoin:round}
.s-read{stroke:var(--read);stroke-dasharray:4 3}
.s-results,.s-lag{stroke:var(--results)}.s-dead_letters{stroke:var(--dead)}
.bar rect{fill:var(--results)}
.f-negative{fill:var(--negative)}.f-neutral{fill:var(--neutral)}.f-positive{fill:var(--positive)}
.axis{font-size:.8rem;margin:2px 0}.ends{display:flex;justify-content:space-between}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;list-style:none;margin:8px 0 0;padding:0;font-size:.88rem}
.legend i{display:inline-block;width:12px;height:12px;border-radius:3px;margin-right:6px;vertical-align:-1px}
.b-read{background:var(--read)}.b-results{background:var(--results)}.b-dead_letters{background:var(--dead)}
.b-negative{background:var(--negative)}.b-neutral{background:var(--neutral)}.b-positive{background:var(--positive)}
"""
