"""Verifies a Weft token under a trust file: docs/formats.md section 16, with nothing but Python's standard library.

    python3 verify_token.py TRUST_FILE TOKEN_FILE    prints one line of JSON; exit code 1 when the token is refused

Written from the document alone, to show that it suffices. It answers whether the
ledger recorded the leaf; what a leaf authorises (step 6) is for the caller.
"""
import base64, hashlib, json, re, sys
from itertools import accumulate

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def require(condition, why):
    if not condition:
        raise ValueError(why)


# Ed25519 by ZIP 215 (section 4), points in affine coordinates.
def decode_point(data):
    y = (int.from_bytes(data, "little") & (2**255 - 1)) % P
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    x = x if x * x % P == xx else x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != xx:
        return None
    return (x if x % 2 == data[31] >> 7 else -x % P), y


def add(p, q):
    t = D * p[0] * q[0] * p[1] * q[1]
    return (
        (p[0] * q[1] + p[1] * q[0]) * pow(1 + t, -1, P) % P,
        (p[1] * q[1] + p[0] * q[0]) * pow(1 - t, -1, P) % P,
    )


def times(n, p):
    q = (0, 1)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q


def verify(message, signature, key):
    if len(signature) != 64 or len(key) != 32:
        return False
    r, a, s = decode_point(signature[:32]), decode_point(key), int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    base = decode_point(bytes.fromhex("58" + "66" * 31))
    return None not in (r, a) and s < L and times(8 * s, base) == times(8, add(r, times(k, a)))


def b64(text, length=None):
    data = base64.b64decode(text.encode("ascii"), validate=True)
    require(base64.b64encode(data).decode() == text and length in (None, len(data)), "not strict base64")
    return data


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def decimal(text):
    require(re.fullmatch("0|[1-9][0-9]{0,15}", text) and int(text) < 2**53, "not a decimal number")
    return int(text)


def read_vkey(text, kind):
    name, key_id, key = text.split("+", 2)
    data = b64(key, 33)
    require(data[0] == kind and sha(name.encode(), b"\n", data)[:4].hex() == key_id, "not a verifier key of its line")
    return name, key_id, data[1:]


def read_trust(text):  # section 14
    lines = [re.split("[ \t]+", line.strip(" \t")) for line in text.split("\n") if line.strip(" \t")]
    require(["#", "weft-trust/v1"] in lines, "not a trust file")
    ((_, _, chain),) = [line for line in lines if line[:2] == ["#", "chain"]]
    logs = [read_vkey(line[1], 1) for line in lines if line[0] == "log"]
    witnesses = [(line[1], *read_vkey(line[2], 4)) for line in lines if line[0] == "witness"]
    ((_, group, threshold, *members),) = [line for line in lines if line[0] == "group"]
    n = len(witnesses)
    require([line[1:] for line in lines if line[0] == "quorum"] == [[group]], "the group is not the quorum")
    require(members == [w[0] for w in witnesses] and int(threshold) == n - (n - 1) // 3, "not a quorum of the chain")
    require(logs and all(k[0] == f"{chain}/weft" for k in logs), "a log key has another name")
    require(all(w[1] == f"{chain}/{w[0]}" for w in witnesses), "a witness key has another name")
    require(len({k[-1] for k in logs + witnesses}) == len(logs) + n, "a public key stands twice")
    return f"{chain}/weft", logs, witnesses, int(threshold)


def included(index, size, leaf_hash, hashes, root):  # section 12
    require(index < size, "the index is not below the size")
    fn, sn, r = index, size - 1, leaf_hash
    for p in hashes:
        require(sn > 0, "too many hashes")
        if fn & 1 or fn == sn:
            r = sha(b"\1", p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and r == root


def one_reading(data):  # section 3
    text = data.decode("utf-8")
    outside = re.sub(r'"(?:\\.|[^"\\])*"', "", text)
    depths = accumulate((c in "[{") - (c in "]}") for c in outside)
    require(max(depths, default=0) <= 16, "nests too deep")

    def integer(digits):
        require(re.fullmatch("-?[0-9]{1,16}", digits) and abs(int(digits)) < 2**53, "not an integer of JSON's range")
        return int(digits)

    def members(pairs):
        for name, _ in pairs:
            require(name != "__proto__" and not re.fullmatch("0|[1-9][0-9]*", name), "a name is not accepted")
        return dict(pairs)

    value = json.loads(
        text, parse_int=integer, parse_float=integer, parse_constant=integer, object_pairs_hook=members
    )
    require(json.dumps(value, ensure_ascii=False, separators=(",", ":")) == text, "not the one spelling")
    return value


def verify_token(trust, data):
    origin, logs, witnesses, quorum = read_trust(trust)
    require(len(data) <= 131072, "too large")
    text = data.decode("utf-8")
    require("\r" not in text, "a carriage return")
    head, body, signatures = re.fullmatch(r"(.*?)\n\n(.*?\n)\n(.*\n)", text, re.S).groups()
    first, leaf_line, proof, index_line, *hash_lines = head.split("\n")
    require((first, proof) == ("weft-token/v1", "c2sp.org/tlog-proof@v1"), "not a token")
    require(leaf_line.startswith("leaf ") and index_line.startswith("index ") and len(hash_lines) <= 63, "malformed")
    leaf, index, hashes = b64(leaf_line[5:]), decimal(index_line[6:]), [b64(line, 32) for line in hash_lines]
    require(len(leaf) <= 65535, "the leaf is too large")
    name, size, root, end = body.split("\n")
    require(name == origin and end == "", "another log")
    log_line, *lines = [re.fullmatch("\u2014 (\\S+) (\\S+)", line).groups() for line in signatures[:-1].split("\n")]
    require(len(lines) == quorum, "not exactly a quorum of cosignatures")
    blob = b64(log_line[1], 68)
    keys = [k for n, key_id, k in logs if n == log_line[0] and key_id == blob[:4].hex()]
    require(any(verify(body.encode(), blob[4:], k) for k in keys), "the log signature does not hold")
    times_s, position = [], -1
    for name, encoded in lines:
        blob = b64(encoded, 76)
        at = [i for i, w in enumerate(witnesses) if w[1] == name and w[2] == blob[:4].hex()]
        require(at and at[0] > position, "a cosigner that is not in the trust file, or out of order")
        position, seconds = at[0], int.from_bytes(blob[4:12], "big")
        require(seconds < 2**53, "a time that is too large")
        message = f"cosignature/v1\ntime {seconds}\n{body}".encode()
        require(verify(message, blob[12:], witnesses[position][3]), "a cosignature does not hold")
        times_s.append(seconds)
    require(included(index, decimal(size), sha(b"\0", leaf), hashes, b64(root, 32)), "the leaf is not in the log")
    record = one_reading(leaf)
    telling = [n for n in record if re.fullmatch("_?type", n, re.I)]
    require(telling in (["type"], ["_type"]) and next(iter(record)) == telling[0], "not a leaf")
    time = 1000 * sorted(times_s, reverse=True)[(len(witnesses) - 1) // 3]
    return {"index": index, "size": decimal(size), "time": time, "record": record}


if __name__ == "__main__":
    trust, token = (open(path, "rb").read() for path in sys.argv[1:3])
    try:
        print(json.dumps({"holds": True, **verify_token(trust.decode(), token)}))
    except (ValueError, AttributeError, IndexError) as error:
        print(json.dumps({"holds": False, "why": str(error)}))
        sys.exit(1)
