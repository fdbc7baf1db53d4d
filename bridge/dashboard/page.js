// Everything that comes from KIS or MQTT is put on the page as text, and never as HTML.
"use strict";
const by = id => document.getElementById(id);
const number = value => value === null || value === undefined ? "" :
  typeof value === "number" ? value.toLocaleString("en") : String(value);
const seconds = value => value === null ? "never" : value < 10 ? value.toFixed(1) + " s" :
  value < 120 ? Math.round(value) + " s" : Math.round(value / 60) + " min";

function fill(row, cells) {
  while (row.cells.length < cells.length) row.insertCell();
  cells.forEach(([text, name], i) => {
    const cell = row.cells[i];
    if (cell.textContent !== text) cell.textContent = text;
    if (cell.className !== name) cell.className = name;
  });
}
function table(body, rows) {
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((cells, i) => fill(body.rows[i] || body.insertRow(), cells));
}
const text = value => [number(value), "text"];
const count = (value, name = "") => [number(value), name];

function health(h) {
  table(by("sessions"), Object.entries(h.sessions).map(([app, s]) => [
    [app, "text"], [s.state, s.state === "connected" ? "text" : "text warn"],
    count(s.slots_used + " / " + s.slots_limit), count(s.frames), count(s.records),
    [seconds(s.last_frame_age_s), ""], [seconds(s.last_message_age_s), ""],
    count(s.reconnects, s.reconnects ? "warn" : "")]));
  const lag = h.lag_us, p = h.publish;
  const ms = value => value === null ? "–" : (value / 1000).toFixed(2) + " ms";
  const rows = [
    ["live / wanted", h.subscriptions.live + " / " + h.subscriptions.wanted],
    ["waiting for a slot", h.subscriptions.waiting, true], ["refused", h.subscriptions.refused, true],
    ["published", p.published], ["waiting for broker", p.backlog],
    ["dropped", p.dropped, true], ["possibly lost", p.possibly_lost, true], ["conflated", p.conflated],
    ["not decoded", h.decode_errors, true], ["schema drift", h.schema_drift, true],
    ["garbage frames", h.frames_dropped, true],
    ["lag p50", ms(lag.p50)], ["lag p99", ms(lag.p99)], ["lag max", ms(lag.max)],
    ["REST calls", h.rest.calls], ["REST errors", h.rest.errors, true],
    ["orders", h.halted ? "halted" : "open", h.halted]];
  const list = by("counters");
  while (list.children.length < rows.length) {
    const box = document.createElement("div");
    box.append(document.createElement("dt"), document.createElement("dd"));
    list.append(box);
  }
  rows.forEach(([name, value, bad], i) => {
    const [dt, dd] = list.children[i].children;
    dt.textContent = name;
    dd.textContent = number(value);
    dd.className = bad && value ? "warn" : "";
  });
}
function orders(list) {
  table(by("orders"), list.reverse().map(o => [
    text(o.client_order_id), text(o.client), text(o.account), text(o.symbol), text(o.side),
    count(o.quantity), count(o.price), count(o.filled_quantity), text(o.state)]));
}
const known = new Map();
function market(rows) {
  for (const { is: [, venue, kind], value: v } of rows) {
    const name = venue + " " + v.symbol;
    let one = known.get(name);
    if (!one) {
      one = { row: by("market").insertRow(), venue };
      known.set(name, one);
    }
    if (kind === "quote") {
      one.ask = v.asks && v.asks[0] && v.asks[0].price;
      one.bid = v.bids && v.bids[0] && v.bids[0].price;
    } else {
      Object.assign(one, { price: v.price, change: v.change, rate: v.change_rate, volume: v.cumulative_volume });
    }
    one.time = v.time; one.seq = v.seq; one.symbol = v.symbol;
    const move = one.change > 0 ? "up" : one.change < 0 ? "down" : "";
    fill(one.row, [text(one.symbol), text(venue), count(one.price, move), count(one.change, move),
      count(one.rate, move), count(one.ask), count(one.bid), count(one.volume),
      [one.time ? one.time.slice(11, 19) : "", "text"], count(one.seq)]);
  }
}
const source = new EventSource("stream");
source.onopen = () => { by("connection").textContent = "live"; by("connection").className = ""; };
source.onerror = () => { by("connection").textContent = "connection lost, trying again"; by("connection").className = "warn"; };
for (const [kind, show] of Object.entries({ health, orders, market }))
  source.addEventListener(kind, event => show(JSON.parse(event.data)));
