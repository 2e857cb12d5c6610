// The runtime's files, fetched once: with every byte counted as it comes, and kept in the browser's
// own store under an address that names their content.

const STORE = "soo-python";

/** A store that keeps nothing, where a browser has none (or forbids it, as to an http: site). */
const NONE = { match: async () => undefined, put: async () => {} };

async function openStore() {
  try {
    return await caches.open(STORE);
  } catch {
    return NONE;
  }
}

const addressOf = (base, file) => `${base}${file.path}?v=${file.sha256.slice(0, 12)}`;

export class Lost extends Error {}

/** What an address answers; throws Lost where nothing comes, or no file. */
export async function asked(address, options) {
  const answer = await fetch(address, options).catch((error) => {
    throw new Lost(`${address}: ${error.message}`);
  });
  if (!answer.ok) throw new Lost(`${address}: the site answers ${answer.status}`);
  return answer;
}

/**
 * The bytes of each file, by its name, unpacked.
 *
 * `tell({ had, all })` hears of bytes, those alone that are not kept here yet. Throws Lost when the
 * line breaks: what has come whole is kept, and the next try goes on from there.
 */
export async function fetchAll(base, files, tell) {
  const store = await openStore();
  const found = await Promise.all(files.map((file) => store.match(addressOf(base, file))));
  const all = files.reduce((sum, file, i) => sum + (found[i] ? 0 : file.size), 0);
  let had = 0;
  const bytes = new Map();

  async function one(file, i) {
    const address = addressOf(base, file);
    const kept = found[i];
    let packed;
    if (kept) {
      packed = new Uint8Array(await kept.arrayBuffer());
    } else {
      packed = await fetched(address, file, (more) => tell({ had: (had += more), all }));
      // A full disk is no reason to stop: the file is fetched again another time.
      await store.put(address, new Response(packed)).catch(() => {});
    }
    bytes.set(file.name, file.packed ? await unpacked(packed) : packed);
  }

  // All are waited for, so that what is under way when one fails is kept too.
  const ends = await Promise.allSettled(files.map(one));
  const failed = ends.find(({ reason }) => reason);
  if (failed) throw failed.reason;
  return bytes;
}

async function fetched(address, file, count) {
  const whole = new Uint8Array(file.size);
  let at = 0;
  const response = await asked(address, { cache: "no-store" }); // we keep it ourselves
  const reader = response.body.getReader();
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      whole.set(part.value, at);
      at += part.value.length;
      count(part.value.length);
    }
  } catch (error) {
    throw new Lost(`${file.path}: ${error.message}`);
  }
  if (at !== file.size) throw new Lost(`${file.path}: ${at} of ${file.size} bytes came`);
  return whole;
}

const unpacked = async (packed) =>
  new Uint8Array(
    await new Response(
      new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip")),
    ).arrayBuffer(),
  );
