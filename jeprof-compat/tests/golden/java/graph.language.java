<?xml version="1.0" encoding="UTF-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="1020pt" height="621pt" viewBox="0 0 1020 621" font-family="Helvetica, Arial, 'Liberation Sans', sans-serif">
<title>java; 7.1 MB</title>
<style>
.node.h0 rect { fill: #faf9f7; stroke: #969491 }
.edge.h0 path { stroke: #969491 } .edge.h0 .head { fill: #969491 }
.node.h1 rect { fill: #fbf1e1; stroke: #a18d77 }
.edge.h1 path { stroke: #a18d77 } .edge.h1 .head { fill: #a18d77 }
.node.h2 rect { fill: #fce8cc; stroke: #ac865d }
.edge.h2 path { stroke: #ac865d } .edge.h2 .head { fill: #ac865d }
.node.h3 rect { fill: #fce0b6; stroke: #b77f42 }
.edge.h3 path { stroke: #b77f42 } .edge.h3 .head { fill: #b77f42 }
.node.h4 rect { fill: #fdd7a0; stroke: #c27828 }
.edge.h4 path { stroke: #c27828 } .edge.h4 .head { fill: #c27828 }
.node.h5 rect { fill: #fcc48f; stroke: #c36722 }
.edge.h5 path { stroke: #c36722 } .edge.h5 .head { fill: #c36722 }
.node.h6 rect { fill: #fab17e; stroke: #c3561c }
.edge.h6 path { stroke: #c3561c } .edge.h6 .head { fill: #c3561c }
.node.h7 rect { fill: #f99d6d; stroke: #c44516 }
.edge.h7 path { stroke: #c44516 } .edge.h7 .head { fill: #c44516 }
.node.h8 rect { fill: #f78a5c; stroke: #c43410 }
.edge.h8 path { stroke: #c43410 } .edge.h8 .head { fill: #c43410 }
.node.c0 rect { fill: #f7f9fa; stroke: #919496 }
.edge.c0 path { stroke: #919496 } .edge.c0 .head { fill: #919496 }
.node.c1 rect { fill: #e6f0f8; stroke: #7c8d9e }
.edge.c1 path { stroke: #7c8d9e } .edge.c1 .head { fill: #7c8d9e }
.node.c2 rect { fill: #d5e7f5; stroke: #6786a5 }
.edge.c2 path { stroke: #6786a5 } .edge.c2 .head { fill: #6786a5 }
.node.c3 rect { fill: #c3ddf3; stroke: #517fad }
.edge.c3 path { stroke: #517fad } .edge.c3 .head { fill: #517fad }
.node.c4 rect { fill: #b2d4f0; stroke: #3c78b4 }
.edge.c4 path { stroke: #3c78b4 } .edge.c4 .head { fill: #3c78b4 }
.node.c5 rect { fill: #a0c9ec; stroke: #306daf }
.edge.c5 path { stroke: #306daf } .edge.c5 .head { fill: #306daf }
.node.c6 rect { fill: #8fbee7; stroke: #2362aa }
.edge.c6 path { stroke: #2362aa } .edge.c6 .head { fill: #2362aa }
.node.c7 rect { fill: #7db3e3; stroke: #1756a5 }
.edge.c7 path { stroke: #1756a5 } .edge.c7 .head { fill: #1756a5 }
.node.c8 rect { fill: #6ba8de; stroke: #0a4ba0 }
.edge.c8 path { stroke: #0a4ba0 } .edge.c8 .head { fill: #0a4ba0 }
@media screen and (prefers-color-scheme: dark) {
.node.h0 rect { fill: #26272a; stroke: #767678 }
.edge.h0 path { stroke: #767678 } .edge.h0 .head { fill: #767678 }
.node.h1 rect { fill: #352d26; stroke: #8c7d6c }
.edge.h1 path { stroke: #8c7d6c } .edge.h1 .head { fill: #8c7d6c }
.node.h2 rect { fill: #443422; stroke: #a1835f }
.edge.h2 path { stroke: #a1835f } .edge.h2 .head { fill: #a1835f }
.node.h3 rect { fill: #533a1e; stroke: #b78a53 }
.edge.h3 path { stroke: #b78a53 } .edge.h3 .head { fill: #b78a53 }
.node.h4 rect { fill: #62401a; stroke: #cc9046 }
.edge.h4 path { stroke: #cc9046 } .edge.h4 .head { fill: #cc9046 }
.node.h5 rect { fill: #723f1a; stroke: #d98b47 }
.edge.h5 path { stroke: #d98b47 } .edge.h5 .head { fill: #d98b47 }
.node.h6 rect { fill: #813d19; stroke: #e68547 }
.edge.h6 path { stroke: #e68547 } .edge.h6 .head { fill: #e68547 }
.node.h7 rect { fill: #913c19; stroke: #f28048 }
.edge.h7 path { stroke: #f28048 } .edge.h7 .head { fill: #f28048 }
.node.h8 rect { fill: #a03a18; stroke: #ff7a48 }
.edge.h8 path { stroke: #ff7a48 } .edge.h8 .head { fill: #ff7a48 }
.node.c0 rect { fill: #26272a; stroke: #767678 }
.edge.c0 path { stroke: #767678 } .edge.c0 .head { fill: #767678 }
.node.c1 rect { fill: #242e3a; stroke: #717f8e }
.edge.c1 path { stroke: #717f8e } .edge.c1 .head { fill: #717f8e }
.node.c2 rect { fill: #223649; stroke: #6b87a4 }
.edge.c2 path { stroke: #6b87a4 } .edge.c2 .head { fill: #6b87a4 }
.node.c3 rect { fill: #203d59; stroke: #6690ba }
.edge.c3 path { stroke: #6690ba } .edge.c3 .head { fill: #6690ba }
.node.c4 rect { fill: #1e4468; stroke: #6098d0 }
.edge.c4 path { stroke: #6098d0 } .edge.c4 .head { fill: #6098d0 }
.node.c5 rect { fill: #1d4a76; stroke: #5e9ddc }
.edge.c5 path { stroke: #5e9ddc } .edge.c5 .head { fill: #5e9ddc }
.node.c6 rect { fill: #1c5083; stroke: #5ca2e8 }
.edge.c6 path { stroke: #5ca2e8 } .edge.c6 .head { fill: #5ca2e8 }
.node.c7 rect { fill: #1b5691; stroke: #5aa7f3 }
.edge.c7 path { stroke: #5aa7f3 } .edge.c7 .head { fill: #5aa7f3 }
.node.c8 rect { fill: #1a5c9e; stroke: #58acff }
.edge.c8 path { stroke: #58acff } .edge.c8 .head { fill: #58acff }
}
/* Look of the call graph. The colours of its heat scale stand before these rules: view/colour.rs. */
text { fill: #1c1b1a; white-space: pre }
.paper { fill: #ffffff }
.node rect { stroke-width: 0.8; rx: 2.5px }
.node .dim { fill-opacity: 0.62 }
.edge path { fill: none; stroke-linecap: butt }
.edge.residual path { stroke-dasharray: 5 4 }
.amount { font-size: 9px; stroke: #ffffff; stroke-width: 3px; stroke-linejoin: round; paint-order: stroke }
.legend text { font-size: 13px }
.legend .program { font-size: 17px; font-weight: bold }
.legend .dim { fill-opacity: 0.68 }
.node:hover rect { stroke-width: 2.4 }
.edge.near path { stroke: #7a1fd1 }
.edge.near .head { fill: #7a1fd1 }
.edge path.head { stroke: none }
.faded { opacity: 0.18 }
.node.found rect { stroke: #7a1fd1; stroke-width: 3 }
#finder { font: 13px Helvetica, Arial, sans-serif; color: #1c1b1a }
#finder input { font: inherit; width: 15em; padding: 4px 8px; border: 1px solid #98948f; border-radius: 4px; color: inherit; background: #fffffff0 }
#finder output { margin-left: 8px; padding: 2px 4px; background: #ffffffc0 }
@media screen and (prefers-color-scheme: dark) {
  text { fill: #e9e7e4 }
  .paper { fill: #17181a }
  .amount { stroke: #17181a }
  .node.found rect { stroke: #c79bff }
  .edge.near path { stroke: #c79bff }
  .edge.near .head { fill: #c79bff }
  #finder { color: #e9e7e4 }
  #finder input { background: #26272af0; border-color: #6b6966 }
  #finder output { background: #17181ac0 }
}
@media print { #finder { display: none } }
</style>
<rect class="paper" width="1020" height="621"/>
<g id="viewport">
<g class="legend" transform="translate(16 16) scale(1.00)"><text class="program" y="13.6">java</text>
<text y="30.6">Total: 7.1 MB</text>
</g>
<g transform="translate(16.0 66.0)">
<g class="edge h3" data-ends="8 7"><title>Caches.&lt;clinit&gt; → &lt;b&gt;&amp;&quot;quoted&quot;&#10;�[31m.a -- b(c)�d&#10;810.0 KB (11.1%)</title><path d="M548.8,34.2C548.8,44.2 548.8,44.2 548.8,54.2 548.8,57.8 548.8,61.4 548.8,65.0 548.8,71.0 548.8,71.0 548.8,77.0 548.8,79.7 548.8,79.5 548.8,79.5" stroke-width="1.4"/><path class="head" d="M548.8,85.0L545.8,78.1L551.7,78.1Z"/></g>
<g class="edge h4" data-ends="6 5"><title>java.lang.Thread.run → com.example.shop.Main$Worker.lambda$run$0&#10;1.6 MB (22.2%)</title><path d="M286.0,138.2C286.0,148.2 286.0,148.2 286.0,158.2 286.0,161.8 286.0,165.4 286.0,169.0 286.0,175.0 286.0,175.0 286.0,181.0 286.0,183.6 286.0,182.8 286.0,182.8" stroke-width="2.0"/><path class="head" d="M286.0,189.0L282.8,181.2L289.3,181.2Z"/></g>
<g class="edge h4" data-ends="5 0"><title>com.example.shop.Main$Worker.lambda$run$0 → java.util.zip.Deflater.&lt;init&gt;&#10;1.6 MB (22.2%)</title><path d="M242.5,232.6C242.5,242.6 200.8,242.6 200.8,252.6 200.8,256.2 200.8,259.8 200.8,263.4 200.8,269.4 190.2,269.4 190.2,275.4 190.2,278.1 190.2,277.2 190.2,277.2" stroke-width="2.0"/><path class="head" d="M190.2,283.4L186.9,275.7L193.4,275.7Z"/></g>
<g class="edge h6" data-ends="4 0"><title>java.util.zip.GZIPOutputStream.&lt;init&gt; → java.util.zip.Deflater.&lt;init&gt;&#10;4.0 MB (55.6%)</title><path d="M157.8,232.6C157.8,242.6 157.8,242.6 157.8,252.6 157.8,256.2 157.8,259.8 157.8,263.4 157.8,269.4 157.8,269.4 157.8,275.4 157.8,278.1 157.8,275.3 157.8,275.3" stroke-width="3.7"/><path class="head" d="M157.8,283.4L153.5,273.3L162.1,273.3Z"/></g>
<g class="edge h6" data-ends="3 2"><title>com.example.shop.Main.main → com.example.logging.ExceptionLogger.log&#10;4.0 MB (55.6%)</title><path d="M157.7,43.7C157.7,53.7 157.7,53.7 157.7,63.7 157.7,67.3 157.7,70.9 157.7,74.5 157.7,80.5 157.7,80.5 157.7,86.5 157.7,89.1 157.7,86.3 157.7,86.3" stroke-width="3.7"/><path class="head" d="M157.7,94.5L153.5,84.3L162.0,84.3Z"/></g>
<g class="edge h6" data-ends="2 4"><title>com.example.logging.ExceptionLogger.log → java.util.zip.GZIPOutputStream.&lt;init&gt;&#10;4.0 MB (55.6%)</title><path d="M157.7,138.2C157.7,148.2 157.7,148.2 157.7,158.2 157.7,161.8 157.7,165.4 157.7,169.0 157.7,175.0 157.7,175.0 157.7,181.0 157.7,183.6 157.7,180.8 157.7,180.8" stroke-width="3.7"/><path class="head" d="M157.7,189.0L153.5,178.8L162.0,178.8Z"/></g>
<g class="edge h7" data-ends="0 1"><title>java.util.zip.Deflater.&lt;init&gt; → java.util.zip.Deflater.init&#10;5.5 MB (77.8%)</title><path d="M157.9,327.1C157.9,337.1 157.9,337.1 157.9,347.1 157.9,350.7 157.9,354.3 157.9,357.9 157.9,363.9 157.9,363.9 157.9,369.9 157.9,372.6 157.9,368.5 157.9,368.5" stroke-width="4.8"/><path class="head" d="M157.9,377.9L153.0,366.1L162.9,366.1Z"/></g>
<text class="amount" x="572.8" y="62.8" text-anchor="middle">810.0 KB<title>Caches.&lt;clinit&gt; → &lt;b&gt;&amp;&quot;quoted&quot;&#10;�[31m.a -- b(c)�d&#10;810.0 KB (11.1%)</title></text>
<text class="amount" x="305.8" y="166.7" text-anchor="middle">1.6 MB<title>java.lang.Thread.run → com.example.shop.Main$Worker.lambda$run$0&#10;1.6 MB (22.2%)</title></text>
<text class="amount" x="220.6" y="261.2" text-anchor="middle">1.6 MB<title>com.example.shop.Main$Worker.lambda$run$0 → java.util.zip.Deflater.&lt;init&gt;&#10;1.6 MB (22.2%)</title></text>
<text class="amount" x="177.6" y="261.2" text-anchor="middle">4.0 MB<title>java.util.zip.GZIPOutputStream.&lt;init&gt; → java.util.zip.Deflater.&lt;init&gt;&#10;4.0 MB (55.6%)</title></text>
<text class="amount" x="177.5" y="72.2" text-anchor="middle">4.0 MB<title>com.example.shop.Main.main → com.example.logging.ExceptionLogger.log&#10;4.0 MB (55.6%)</title></text>
<text class="amount" x="177.5" y="166.7" text-anchor="middle">4.0 MB<title>com.example.logging.ExceptionLogger.log → java.util.zip.GZIPOutputStream.&lt;init&gt;&#10;4.0 MB (55.6%)</title></text>
<text class="amount" x="177.7" y="355.7" text-anchor="middle">5.5 MB<title>java.util.zip.Deflater.&lt;init&gt; → java.util.zip.Deflater.init&#10;5.5 MB (77.8%)</title></text>
<g class="node h7"><title>java.util.zip.Deflater.&lt;init&gt;&#10;at Deflater.java:179&#10;flat: 0 B (0.0%)&#10;cumulative: 5.5 MB (77.8%)&#10;from 7 samples</title><rect x="115.6" y="283.4" width="84.7" height="43.7"/>
<text x="157.9" y="293.4" font-size="8.0" text-anchor="middle" data-room="80.7"><tspan class="dim">java.util.zip.</tspan></text>
<text x="157.9" y="302.9" font-size="8.0" text-anchor="middle" data-room="80.7">Deflater.&lt;init&gt;</text>
<text x="157.9" y="312.3" font-size="8.0" text-anchor="middle" data-room="80.7"><tspan class="dim">Deflater.java:179</tspan></text>
<text x="157.9" y="321.8" font-size="8.0" text-anchor="middle" data-room="80.7">0 of 5.5 MB (77.8%)</text>
</g>
<g class="node h7"><title>java.util.zip.Deflater.init&#10;flat: 5.5 MB (77.8%)&#10;cumulative: 5.5 MB (77.8%)&#10;from 7 samples</title><rect x="0.0" y="377.9" width="315.9" height="161.0"/>
<text x="157.9" y="413.7" font-size="31.3" text-anchor="middle" data-room="311.9"><tspan class="dim">java.util.zip.</tspan></text>
<text x="157.9" y="468.9" font-size="52.1" text-anchor="middle" data-room="311.9">Deflater.init</text>
<text x="157.9" y="518.9" font-size="39.1" text-anchor="middle" data-room="311.9">5.5 MB (77.8%)</text>
</g>
<g class="node h6"><title>com.example.logging.ExceptionLogger.log&#10;at ExceptionLogger.java:42&#10;flat: 0 B (0.0%)&#10;cumulative: 4.0 MB (55.6%)&#10;from 5 samples</title><rect x="106.9" y="94.5" width="101.6" height="43.7"/>
<text x="157.7" y="104.5" font-size="8.0" text-anchor="middle" data-room="97.6"><tspan class="dim">com.example.logging.</tspan></text>
<text x="157.7" y="113.9" font-size="8.0" text-anchor="middle" data-room="97.6">ExceptionLogger.log</text>
<text x="157.7" y="123.4" font-size="8.0" text-anchor="middle" data-room="97.6"><tspan class="dim">ExceptionLogger.java:42</tspan></text>
<text x="157.7" y="132.8" font-size="8.0" text-anchor="middle" data-room="97.6">0 of 4.0 MB (55.6%)</text>
</g>
<g class="node h6"><title>com.example.shop.Main.main&#10;at Main.java:12&#10;flat: 0 B (0.0%)&#10;cumulative: 4.0 MB (55.6%)&#10;from 5 samples</title><rect x="115.4" y="0.0" width="84.7" height="43.7"/>
<text x="157.7" y="10.0" font-size="8.0" text-anchor="middle" data-room="80.7"><tspan class="dim">com.example.shop.</tspan></text>
<text x="157.7" y="19.4" font-size="8.0" text-anchor="middle" data-room="80.7">Main.main</text>
<text x="157.7" y="28.9" font-size="8.0" text-anchor="middle" data-room="80.7"><tspan class="dim">Main.java:12</tspan></text>
<text x="157.7" y="38.3" font-size="8.0" text-anchor="middle" data-room="80.7">0 of 4.0 MB (55.6%)</text>
</g>
<g class="node h6"><title>java.util.zip.GZIPOutputStream.&lt;init&gt;&#10;at GZIPOutputStream.java:91&#10;flat: 0 B (0.0%)&#10;cumulative: 4.0 MB (55.6%)&#10;from 5 samples</title><rect x="102.7" y="189.0" width="110.1" height="43.7"/>
<text x="157.7" y="199.0" font-size="8.0" text-anchor="middle" data-room="106.1"><tspan class="dim">java.util.zip.</tspan></text>
<text x="157.7" y="208.4" font-size="8.0" text-anchor="middle" data-room="106.1">GZIPOutputStream.&lt;init&gt;</text>
<text x="157.7" y="217.8" font-size="8.0" text-anchor="middle" data-room="106.1"><tspan class="dim">GZIPOutputStream.java:91</tspan></text>
<text x="157.7" y="227.3" font-size="8.0" text-anchor="middle" data-room="106.1">0 of 4.0 MB (55.6%)</text>
</g>
<g class="node h4"><title>com.example.shop.Main$Worker.lambda$run$0&#10;at Main.java:77&#10;flat: 0 B (0.0%)&#10;cumulative: 1.6 MB (22.2%)&#10;from 2 samples</title><rect x="228.8" y="189.0" width="114.5" height="43.7"/>
<text x="286.0" y="199.0" font-size="8.0" text-anchor="middle" data-room="110.5"><tspan class="dim">com.example.shop.</tspan></text>
<text x="286.0" y="208.4" font-size="8.0" text-anchor="middle" data-room="110.5">Main$Worker.lambda$run$0</text>
<text x="286.0" y="217.8" font-size="8.0" text-anchor="middle" data-room="110.5"><tspan class="dim">Main.java:77</tspan></text>
<text x="286.0" y="227.3" font-size="8.0" text-anchor="middle" data-room="110.5">0 of 1.6 MB (22.2%)</text>
</g>
<g class="node h4"><title>java.lang.Thread.run&#10;at Thread.java:840&#10;flat: 0 B (0.0%)&#10;cumulative: 1.6 MB (22.2%)&#10;from 2 samples</title><rect x="243.7" y="94.5" width="84.7" height="43.7"/>
<text x="286.0" y="104.5" font-size="8.0" text-anchor="middle" data-room="80.7"><tspan class="dim">java.lang.</tspan></text>
<text x="286.0" y="113.9" font-size="8.0" text-anchor="middle" data-room="80.7">Thread.run</text>
<text x="286.0" y="123.4" font-size="8.0" text-anchor="middle" data-room="80.7"><tspan class="dim">Thread.java:840</tspan></text>
<text x="286.0" y="132.8" font-size="8.0" text-anchor="middle" data-room="80.7">0 of 1.6 MB (22.2%)</text>
</g>
<g class="node h3"><title>&lt;b&gt;&amp;&quot;quoted&quot;&#10;�[31m.a -- b(c)�d&#10;at x&#10;.java:3&#10;flat: 810.0 KB (11.1%)&#10;cumulative: 810.0 KB (11.1%)&#10;from 1 sample</title><rect x="379.3" y="85.0" width="338.9" height="107.4"/>
<text x="548.8" y="111.7" font-size="24.7" text-anchor="middle" data-room="334.9"><tspan class="dim">&lt;b&gt;</tspan>&amp;&quot;quoted&quot;  <tspan class="dim">[31m.a -- b(c)</tspan></text>
<text x="548.8" y="140.8" font-size="24.7" text-anchor="middle" data-room="334.9"><tspan class="dim">d</tspan></text>
<text x="548.8" y="161.2" font-size="14.8" text-anchor="middle" data-room="334.9"><tspan class="dim">x&#10;.java:3</tspan></text>
<text x="548.8" y="182.0" font-size="18.5" text-anchor="middle" data-room="334.9">810.0 KB (11.1%)</text>
</g>
<g class="node h3"><title>Caches.&lt;clinit&gt;&#10;at Caches.java:5&#10;flat: 0 B (0.0%)&#10;cumulative: 810.0 KB (11.1%)&#10;from 1 sample</title><rect x="502.6" y="0.0" width="92.3" height="34.2"/>
<text x="548.8" y="10.0" font-size="8.0" text-anchor="middle" data-room="88.3">Caches.&lt;clinit&gt;</text>
<text x="548.8" y="19.4" font-size="8.0" text-anchor="middle" data-room="88.3"><tspan class="dim">Caches.java:5</tspan></text>
<text x="548.8" y="28.9" font-size="8.0" text-anchor="middle" data-room="88.3">0 of 810.0 KB (11.1%)</text>
</g>
<g class="node h3"><title>[jit compiler thread]&#10;flat: 810.0 KB (11.1%)&#10;cumulative: 810.0 KB (11.1%)&#10;from 1 sample</title><rect x="754.2" y="0.0" width="233.6" height="60.9"/>
<text x="871.0" y="26.7" font-size="24.7" text-anchor="middle" data-room="229.6">[jit compiler thread]</text>
<text x="871.0" y="50.3" font-size="18.5" text-anchor="middle" data-room="229.6">810.0 KB (11.1%)</text>
</g>
</g>
</g>
<script><![CDATA[
// Pan, zoom and search for the call graph. Runs inside the SVG file itself, needs no network, and
// the picture is complete without it.
"use strict";
(() => {
  const svg = document.documentElement;
  const viewport = document.getElementById("viewport");
  const box = svg.viewBox.baseVal;
  const whole = { width: box.width, height: box.height };
  let scale = 1, left = 0, top = 0;

  // The page becomes the window onto the picture; without a script the file scales by its viewBox.
  svg.removeAttribute("viewBox");
  svg.setAttribute("width", "100%");
  svg.setAttribute("height", "100%");
  svg.style.position = "fixed";
  svg.style.cursor = "grab";
  svg.style.touchAction = "none";
  document.querySelector(".paper").setAttribute("width", "100%");
  document.querySelector(".paper").setAttribute("height", "100%");

  const show = () => {
    viewport.setAttribute("transform", `translate(${left} ${top}) scale(${scale})`);
  };
  // The search box stands above the picture, not on it.
  const STRIP = 44;
  const fit = () => {
    scale = Math.min(innerWidth / whole.width, Math.max(60, innerHeight - STRIP) / whole.height, 2);
    left = (innerWidth - whole.width * scale) / 2;
    top = Math.max(STRIP, (innerHeight - whole.height * scale) / 2);
    show();
  };
  const zoom = (factor, x, y) => {
    const next = Math.min(20, Math.max(0.02, scale * factor));
    left = x - (x - left) * next / scale;
    top = y - (y - top) * next / scale;
    scale = next;
    show();
  };
  const zoomMiddle = (factor) => zoom(factor, innerWidth / 2, innerHeight / 2);
  const pan = (x, y) => { left += x; top += y; show(); };

  let touched = false;
  addEventListener("resize", () => { if (!touched) fit(); });
  svg.addEventListener("wheel", (event) => {
    event.preventDefault();
    touched = true;
    // deltaMode 1 counts lines.
    const distance = event.deltaY * (event.deltaMode === 1 ? 16 : 1);
    zoom(Math.exp(-distance / 400), event.clientX, event.clientY);
  }, { passive: false });

  // One pointer drags, two pinch.
  const pointers = new Map();
  const spread = () => {
    const [a, b] = [...pointers.values()];
    return { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2, d: Math.hypot(a.x - b.x, a.y - b.y) };
  };
  svg.addEventListener("pointerdown", (event) => {
    if (event.target.closest("#finder")) return;
    pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  svg.addEventListener("pointermove", (event) => {
    const last = pointers.get(event.pointerId);
    if (!last) return;
    touched = true;
    const now = { x: event.clientX, y: event.clientY };
    if (pointers.size === 1) {
      // Not before a drag begins, or a click would never reach a box.
      svg.setPointerCapture(event.pointerId);
      pan(now.x - last.x, now.y - last.y);
      pointers.set(event.pointerId, now);
    } else if (pointers.size === 2) {
      const before = spread();
      pointers.set(event.pointerId, now);
      const after = spread();
      pan(after.x - before.x, after.y - before.y);
      if (before.d > 0) zoom(after.d / before.d, after.x, after.y);
    }
  });
  for (const end of ["pointerup", "pointercancel"]) {
    svg.addEventListener(end, (event) => pointers.delete(event.pointerId));
  }

  // Search over whole names, which the tooltips hold.
  const nodes = [...document.querySelectorAll(".node")];
  const names = nodes.map((node) => node.querySelector("title").textContent.toLowerCase());
  const frame = document.createElementNS("http://www.w3.org/2000/svg", "foreignObject");
  const form = document.createElementNS("http://www.w3.org/1999/xhtml", "div");
  const input = document.createElementNS("http://www.w3.org/1999/xhtml", "input");
  const count = document.createElementNS("http://www.w3.org/1999/xhtml", "output");
  form.id = "finder";
  input.type = "search";
  input.placeholder = "Search  ( / )";
  input.setAttribute("aria-label", "Search names");
  form.append(input, count);
  frame.append(form);
  const placeFinder = () => {
    frame.setAttribute("x", Math.max(0, innerWidth - 330));
    frame.setAttribute("y", 10);
    frame.setAttribute("width", 330);
    frame.setAttribute("height", 40);
  };
  addEventListener("resize", placeFinder);
  placeFinder();
  svg.append(frame);

  let hits = [], current = -1;
  const search = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    hits = [];
    nodes.forEach((node, index) => {
      const hit = words.length > 0 && words.every((word) => names[index].includes(word));
      if (hit) hits.push(node);
      node.classList.toggle("found", hit);
      node.classList.toggle("faded", words.length > 0 && !hit);
    });
    current = -1;
    count.textContent = words.length > 0 ? `${hits.length} of ${nodes.length}` : "";
  };
  const goTo = (step) => {
    if (hits.length === 0) return;
    current = (current + step + hits.length) % hits.length;
    touched = true;
    const place = hits[current].getBoundingClientRect();
    pan(innerWidth / 2 - place.x - place.width / 2, innerHeight / 2 - place.y - place.height / 2);
    count.textContent = `${current + 1} of ${hits.length}`;
  };
  input.addEventListener("input", search);
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (event.key === "Enter") goTo(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") { input.value = ""; search(); input.blur(); }
  });

  const keys = {
    "/": () => input.focus(),
    "n": () => goTo(1),
    "N": () => goTo(-1),
    "+": () => zoomMiddle(1.25),
    "=": () => zoomMiddle(1.25),
    "-": () => zoomMiddle(0.8),
    "0": fit,
    "ArrowLeft": () => pan(60, 0),
    "ArrowRight": () => pan(-60, 0),
    "ArrowUp": () => pan(0, 60),
    "ArrowDown": () => pan(0, -60),
  };
  addEventListener("keydown", (event) => {
    const action = keys[event.key];
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    if (event.key !== "/") touched = event.key !== "0";
    action();
  });

  // Under the pointer, the calls of a box stand out.
  for (const edge of document.querySelectorAll(".edge")) {
    for (const end of edge.dataset.ends.split(" ")) {
      nodes[end].addEventListener("pointerenter", () => edge.classList.add("near"));
      nodes[end].addEventListener("pointerleave", () => edge.classList.remove("near"));
    }
  }

  // Where another font stands in, text that came out too wide is squeezed into its box.
  for (const text of document.querySelectorAll("text[data-room]")) {
    const room = Number(text.dataset.room);
    if (text.getComputedTextLength() > room) {
      text.setAttribute("textLength", room);
      text.setAttribute("lengthAdjust", "spacingAndGlyphs");
    }
  }
  fit();
})();
]]></script>
</svg>
