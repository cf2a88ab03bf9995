// The bucket of a text, as ordergap.hashing has it. For Node.js from 18 and browsers, without
// dependencies:
//
//     import { bucket } from "./bucket.mjs";
//     await bucket("product", "85123A", 32); // 0

const SEPARATOR = "\x1f";
const MOST = 2 ** 31 - 1;
// What has the property White_Space in Unicode; trim() takes U+FEFF besides, and leaves U+0085.
const AROUND = /^\p{White_Space}+|\p{White_Space}+$/gu;
// Browsers have it on pages of https and localhost alone; Node.js 18 has it in a module.
const subtle =
  globalThis.crypto?.subtle ?? (await import("node:crypto")).webcrypto.subtle;

function encoded(name, text) {
  if (/\p{Surrogate}/u.test(text)) {
    throw new RangeError(`${name} has half a surrogate pair, which is no character`);
  }
  return new TextEncoder().encode(text);
}

/**
 * The bucket of a value of a field: 0 to buckets - 1, or `buckets` where there is no value (null,
 * undefined, or nothing but white space). Throws TypeError for a value that is not text, and
 * RangeError for another field or number of buckets than there can be.
 */
export async function bucket(field, value, buckets) {
  if (typeof field !== "string" || !field || field.includes(SEPARATOR)) {
    throw new RangeError("a field needs a name without U+001F");
  }
  if (!Number.isInteger(buckets) || buckets < 1 || buckets > MOST) {
    throw new RangeError(`buckets must be 1 to ${MOST}`);
  }
  if (value === null || value === undefined) return buckets;
  if (typeof value !== "string") {
    throw new TypeError(`${field} = ${value} is not text: write it as text as the source has it`);
  }
  const text = value.replace(AROUND, "").normalize("NFC");
  if (!text) return buckets;
  const content = encoded(field, field + SEPARATOR + text);
  const digest = new DataView(await subtle.digest("SHA-256", content));
  return Number(digest.getBigUint64(0) % BigInt(buckets)); // big-endian
}
