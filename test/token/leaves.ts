// Leaves written by hand, not by our encoders: what tokens carry, as bytes.
export const grantText =
  '{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"effect","digest":{"sha256":"7f1d3b6c0a5e4928d17c66b1f0e2a394857c6d5b4e3f2a1908f7e6d5c4b3a291"}}],' +
  '"predicateType":"urn:weft:grant:v1","predicate":{"intent":"2e6398cd02376ca1d60b4075aadf14497eb3e81d5287bcf1265b90c5fa2f6499","height":812,"time":1763712000123,' +
  '"tx":"b4c1e9d07f3a5582c6e0149f8d2b7a63915c0e4f6d8a2b3c7e1f9054d6a8b2c1","decision":"allow","policy":{"version":3,"sha256":"0d9f8e7c6b5a493827160f5e4d3c2b1a09f8e7d6c5b4a39281706f5e4d3c2b1a","reasons":["restart-services","working-hours"]},' +
  '"action":"service.restart","resource":"host/web-3/nginx","limits":{"dryRun":false,"maxTargets":1},"requester":"remedy.engine","audience":"actuator-web-3","approvers":["alice"],"nonce":"q83vEjRWeJA","maxUses":1,"reusable":false,"actWithinMs":10000,' +
  '"notBefore":{"height":812,"time":1763712000123},"expires":{"height":1412,"time":1763712300123}}}';

/** One of each kind of name and list at its longest, in 1,280 bytes exactly: the largest grant there is. */
export function largestGrantText(): string {
  const filler = grantText.replace('host/web-3/nginx', 'host/web-3/nginx/@');
  return filler.replace('@', 'x'.repeat(1280 - (filler.length - 1)));
}

export const packetIds = [
  'c5ea0f34597ea3c8ed12375c81a6cbf0153a5f84a9cef3183d6287acd1f61b41',
  '658aafd4f99e4368 8db2d7fc21466b90b5daff2449 6e93b8dd02274c7196bbe0'.replaceAll(' ', ''),
];

export const packetsText =
  '{"type":"packets.committed","height":812,"time":1763712000123,"tx":"2e6398cd02376ca1d60b4075aadf14497eb3e81d5287bcf1265b90c5fa2f6499","source":"misty.weave","target":"oracle.weave","decision":"allow",' +
  '"route":{"table":7,"rule":"r3"},"expires":1763712030123,"ids":"xeoPNFl-o8jtEjdcgabL8BU6X4SpzvMYPWKHrNH2G0Fliq_U-Z5DaI2y1_whRmuQtdr_JEluk7jdAidMcZa74A"}';

export const deniedText = packetsText.replace(
  '"allow","route":{"table":7,"rule":"r3"}',
  '"deny","why":"NO_ROUTE","route":null',
);

export const recordText =
  '{"type":"intents.consumed","height":813,"time":1763712001456,"tx":"91c0de5f3b7a2846e1d0c9b8a7f6e5d4c3b2a19087f6e5d4c3b2a1908f7e6d5c","grant":"2e6398cd02376ca1d60b4075aadf14497eb3e81d5287bcf1265b90c5fa2f6499","attempt":"AAECAwQFBgcICQoLDA0ODw"}';
