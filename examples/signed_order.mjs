// Place one signed order over MQTT and print its ack (docs/signing.md).
//
//     npm install mqtt
//     MQTT_PASSWORD=… node signed_order.mjs mqtt://127.0.0.1 alice alice.key 005930 buy 1 71900
//
// alice.key has the text of signing_key in [orders.clients.alice].

import { createHmac, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

/** Return the envelope of a payload: what is published instead of it. */
export function seal(key, topic, payload, nonce, expiresAt) {
  const text = ["kis-bridge-signature-1", topic, nonce, expiresAt, payload].join("\n");
  const signature = createHmac("sha256", key).update(text, "utf8").digest("hex");
  return JSON.stringify({ signed: { payload, nonce, expires_at: expiresAt, signature } });
}

async function main([url, user, keyFile, symbol, side, quantity, price]) {
  const { default: mqtt } = await import("mqtt");
  const name = `js-${randomBytes(8).toString("hex")}`;
  const order = {
    client_order_id: name,
    market: "domestic_stock",
    venue: "krx",
    symbol,
    side,
    order_type: "limit",
    quantity: Number(quantity),
    price: Number(price),
  };
  const base = `kis/orders/main/${user}`;
  const topic = `${base}/command/place`;
  const key = readFileSync(keyFile, "utf8").trim();
  // The signature says until when it is good; the command needs no other deadline.
  const expiresAt = new Date(Date.now() + 10_000).toISOString();
  const envelope = seal(key, topic, JSON.stringify(order), randomBytes(16).toString("hex"), expiresAt);

  const client = await mqtt.connectAsync(url, {
    username: user,
    password: process.env.MQTT_PASSWORD,
    protocolVersion: 5,
  });
  const answered = new Promise((resolve, reject) => {
    client.on("message", (_topic, payload) => resolve(JSON.parse(payload.toString())));
    setTimeout(() => reject(new Error("no ack within 15 s")), 15_000).unref();
  });
  // A signature that is refused is answered on ack/invalid: whoever has no key is not to say what
  // became of an order under its name.
  await client.subscribeAsync([`${base}/ack/${name}`, `${base}/ack/invalid`], { qos: 1 });
  await client.publishAsync(topic, envelope, { qos: 1 });
  const ack = await answered;
  console.log(JSON.stringify(ack));
  await client.endAsync();
  return ack.status === "accepted" ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  process.exitCode = await main(process.argv.slice(2)).catch((error) => {
    console.error(error.message);
    return 1;
  });
}
