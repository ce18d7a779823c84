import { readFileSync } from 'node:fs';
import type { FinalizeVote } from '../../../consensus/types.ts';
import { fromHex } from '../../../src/codec/hex.ts';
import { sign } from '../../../src/crypto/ed25519.ts';
import { readKeyFile } from '../../../src/crypto/keyfile.ts';
import { validatorKeysFrom } from '../../../src/crypto/validatorKeys.ts';
import { loadGenesis } from '../../../src/ledger/genesis.ts';
import { decodeVote, encodeVote, voteBytes } from '../../../src/ledger/votes.ts';
import { formatCheckpoint } from '../../../src/log/checkpoint.ts';
import { cosign } from '../../../src/log/cosignature.ts';
import { decodeSentCosignature, encodeSentCosignature } from '../../../src/log/sentCosignature.ts';
import { createNetwork as createReal } from '../../../src/net/network.ts';
import type { CreateNetwork, Network } from '../../../src/net/types.ts';
import { cosignerKeyOf } from '../../../src/node/queries.ts';
import { frameKinds } from '../../../src/node/wire.ts';

/** A validator whose keys also sign the contrary, once of each kind: a finalize vote, and a cosignature. */

const other = 'ab'.repeat(32);

export const createNetwork: CreateNetwork = async (options, modules) => {
  const { keys: path, genesis: genesisPath } = JSON.parse(process.env['WEFT_TEST_TWICE'] ?? '') as Record<
    string,
    string
  >;
  const keys = validatorKeysFrom(await readKeyFile(path ?? '', null));
  const genesis = loadGenesis(new Uint8Array(readFileSync(genesisPath ?? '')));
  const own = genesis.epoch.validators.find(({ name }) => name === options.name);
  const done = new Set<number>();

  const contrary = (kind: number, payload: Uint8Array): Uint8Array | undefined => {
    if (done.has(kind) || own === undefined) return undefined;
    if (kind === frameKinds.finalize) {
      const vote = decodeVote(payload) as FinalizeVote;
      const subject = { ...vote.subject, blockId: other };
      const signature = sign(voteBytes('finalize', genesis.genesisHash, subject), keys.vote.seed);
      done.add(kind);
      return encodeVote({ ...vote, subject, signature });
    }
    if (kind === frameKinds.cosignature) {
      const { size } = decodeSentCosignature(payload);
      const text = formatCheckpoint({ origin: genesis.origin, size, root: fromHex(other) });
      const key = cosignerKeyOf(genesis.chain, own);
      const line = cosign(text, Math.floor(Date.now() / 1000), key, (message) => sign(message, keys.cosigner.seed));
      done.add(kind);
      return encodeSentCosignature({ size, root: other, line });
    }
    return undefined;
  };

  const network = await createReal(options, modules);
  const lying: Network = {
    name: network.name,
    peerId: network.peerId,
    addresses: () => network.addresses(),
    send: (peer, lane, kind, payload, hint) => network.send(peer, lane, kind, payload, hint),
    broadcast(lane, kind, payload, hint) {
      network.broadcast(lane, kind, payload, hint);
      const twin = contrary(kind, payload);
      if (twin !== undefined) network.broadcast(lane, kind, twin, hint);
    },
    request: (peer, kind, payload, requestOptions) => network.request(peer, kind, payload, requestOptions),
    connected: (peer) => network.connected(peer),
    askable: () => network.askable(),
    heardMs: (validator, directly) => network.heardMs(validator, directly),
    publish: (topic, data, only) => network.publish(topic, data, only),
    setPeers: (peers, role) => network.setPeers(peers, role),
    stats: () => network.stats(),
    close: () => network.close(),
  };
  return lying;
};
