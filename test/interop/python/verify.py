"""Verifies Weft's tokens, statuses and walks: docs/tokens.md, with nothing but Python's standard library.

    python3 verify.py token    TRUST TOKEN
    python3 verify.py status   TRUST STATUS NOW_MS [TOKEN]      with a token: may its grant be used?
    python3 verify.py consumed TRUST TOKEN NOW_MS ATTEMPT GRANT_TOKEN
    python3 verify.py walk     TRUST WALK NOW_MS

    python3 verify.py batch                          such arguments as lists in JSON, one a line of standard input

Prints one line of JSON for each; exit code 1 when the last is refused. Written from the document alone, to show that it suffices.
"""
import base64, hashlib, json, re, sys
from itertools import accumulate

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SKEW_MS = 2_000


def require(condition, why):
    if not condition:
        raise ValueError(why)


# 1. Building blocks: Ed25519 by ZIP 215, points in extended coordinates (x = X/Z, y = Y/Z, T = XY/Z).
def decode_point(data):
    y = (int.from_bytes(data, "little") & (2**255 - 1)) % P
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    x = x if x * x % P == xx else x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != xx:
        return None
    x = x if x % 2 == data[31] >> 7 else -x % P
    return x, y, 1, x * y % P


def add(p, q):
    (x1, y1, z1, t1), (x2, y2, z2, t2) = p, q
    a, b, c, d = (y1 - x1) * (y2 - x2), (y1 + x1) * (y2 + x2), 2 * D * t1 * t2, 2 * z1 * z2
    e, f, g, h = (b - a) % P, (d - c) % P, (d + c) % P, (b + a) % P
    return e * f % P, g * h % P, f * g % P, e * h % P


def times(n, p):
    q = (0, 1, 1, 0)
    while n:
        q, p, n = add(q, p) if n & 1 else q, add(p, p), n >> 1
    return q


def same(p, q):
    return (p[0] * q[2] - q[0] * p[2]) % P == 0 and (p[1] * q[2] - q[1] * p[2]) % P == 0


def signed(message, signature, key):
    if len(signature) != 64 or len(key) != 32:
        return False
    r, a, s = decode_point(signature[:32]), decode_point(key), int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % L
    base = decode_point(bytes.fromhex("58" + "66" * 31))
    return None not in (r, a) and s < L and same(times(8 * s, base), times(8, add(r, times(k, a))))


def b64(text, length=None):
    require(isinstance(text, str), "not a text")
    data = base64.b64decode(text.encode("ascii"), validate=True)
    require(base64.b64encode(data).decode() == text and length in (None, len(data)), "not strict base64")
    return data


def sha(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def digest(text):
    require(isinstance(text, str) and re.fullmatch("[0-9a-f]{64}", text), "not 64 hex digits")
    return bytes.fromhex(text)


def decimal(text):
    require(re.fullmatch("0|[1-9][0-9]{0,15}", text) and int(text) < 2**53, "not a decimal number")
    return int(text)


def count(value):
    require(type(value) is int and value >= 0, "not a number from 0 on")
    return value


def included(index, size, leaf, hashes, root):
    require(index < size, "the index is not below the size")
    fn, sn, r = index, size - 1, sha(b"\0", leaf)
    for p in hashes:
        require(sn > 0, "too many hashes")
        if fn & 1 or fn == sn:
            r = sha(b"\1", p, r)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = sha(b"\1", r, p)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and r == root, "the leaf is not in the log")


def consistent(m, a, n, b, hashes):  # RFC 9162, 2.1.4.2
    if m == n:
        return require(not hashes and a == b, "two logs of one size differ")
    require(0 < m < n and hashes, "not a consistency proof")
    path = hashes if m & (m - 1) else [a] + hashes
    fn, sn = m - 1, n - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        require(sn > 0, "too many hashes")
        if fn & 1 or fn == sn:
            fr, sr = sha(b"\1", c, fr), sha(b"\1", c, sr)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = sha(b"\1", sr, c)
        fn, sn = fn >> 1, sn >> 1
    require(sn == 0 and fr == a and sr == b, "the logs are not consistent")


def one_reading(data, depth=16):
    text = data.decode("utf-8")
    outside = re.sub(r'"(?:\\.|[^"\\])*"', "", text)
    depths = accumulate((c in "[{") - (c in "]}") for c in outside)
    require(max(depths, default=0) <= depth, "nests too deep")

    def integer(digits):
        require(re.fullmatch("-?[0-9]{1,16}", digits) and abs(int(digits)) < 2**53, "not an integer of JSON's range")
        return int(digits)

    def members(pairs):
        for name, _ in pairs:
            require(name != "__proto__" and not re.fullmatch("0|[1-9][0-9]*", name), "a name is not accepted")
        return dict(pairs)

    value = json.loads(text, parse_int=integer, parse_float=integer, parse_constant=integer, object_pairs_hook=members)
    require(spelt(value) == data, "not the one spelling")
    return value


def spelt(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode("utf-8")


def exactly(value, *names):
    require(isinstance(value, dict) and list(value) == list(names), f"the members should be {', '.join(names)}")
    return value.values()


# 2. The trust file.
def read_vkey(text, kind):
    name, key_id, key = text.split("+", 2)
    data = b64(key, 33)
    require(data[0] == kind and sha(name.encode(), b"\n", data)[:4].hex() == key_id, "not a verifier key of its line")
    return name, key_id, data[1:]


def trust_of(chain, epoch, checked_at, logs, witnesses):
    n = len(witnesses)
    require(n > 0 and logs and all(k[0] == f"{chain}/weft" for k in logs), "a log key has another name")
    require(all(w[1] == f"{chain}/{w[0]}" for w in witnesses), "a witness key has another name")
    require(len({k[-1] for k in logs + witnesses}) == len(logs) + n, "a public key stands twice")
    return {"chain": chain, "epoch": epoch, "checkedAt": checked_at, "logs": logs, "witnesses": witnesses, "q": n - (n - 1) // 3}


def read_trust(text):
    lines = [re.split("[ \t]+", line.strip(" \t")) for line in text.split("\n") if line.strip(" \t")]
    require(["#", "weft-trust/v1"] in lines, "not a trust file")
    ((_, _, chain),) = [line for line in lines if line[:2] == ["#", "chain"]]
    ((_, _, checked_at),) = [line for line in lines if line[:2] == ["#", "checkedAt"]]
    epochs = [decimal(line[2]) for line in lines if line[:2] == ["#", "epoch"]]
    logs = [read_vkey(line[1], 1) for line in lines if line[0] == "log"]
    witnesses = [(line[1], *read_vkey(line[2], 4)) for line in lines if line[0] == "witness"]
    ((_, group, threshold, *members),) = [line for line in lines if line[0] == "group"]
    trust = trust_of(chain, epochs[0] if epochs else None, decimal(checked_at), logs, witnesses)
    require([line[1:] for line in lines if line[0] == "quorum"] == [[group]], "the group is not the quorum")
    require(members == [w[0] for w in witnesses] and int(threshold) == trust["q"], "not a quorum of the chain")
    return trust


# 3. A checkpoint.
def checkpoint(trust, note):
    require(isinstance(note, str) and "\r" not in note, "not a note")
    body, lines = re.fullmatch(r"(.*?\n)\n(.*\n)", note, re.S).groups()
    origin, size, root, end = body.split("\n")
    require(origin == f"{trust['chain']}/weft" and end == "", "another log")
    log_line, *lines = [re.fullmatch("\u2014 (\\S+) (\\S+)", line).groups() for line in lines[:-1].split("\n")]
    require(len(lines) == trust["q"], "not exactly a quorum of cosignatures")
    blob = b64(log_line[1], 68)
    keys = [k for n, key_id, k in trust["logs"] if n == log_line[0] and key_id == blob[:4].hex()]
    require(any(signed(body.encode(), blob[4:], k) for k in keys), "the log signature does not hold")
    times_s, position = [], -1
    for name, encoded in lines:
        blob = b64(encoded, 76)
        at = [i for i, w in enumerate(trust["witnesses"]) if w[1] == name and w[2] == blob[:4].hex()]
        require(at and at[0] > position, "a cosigner that is not in the trust file, or out of order")
        position, seconds = at[0], int.from_bytes(blob[4:12], "big")
        require(seconds < 2**53, "a time that is too large")
        message = f"cosignature/v1\ntime {seconds}\n{body}".encode()
        require(signed(message, blob[12:], trust["witnesses"][position][3]), "a cosignature does not hold")
        times_s.append(seconds)
    time = 1000 * sorted(times_s, reverse=True)[(len(trust["witnesses"]) - 1) // 3]
    return decimal(size), b64(root, 32), time


# 4. A token.
def record_of(leaf):
    record = one_reading(leaf)
    require(isinstance(record, dict), "not an object")
    telling = [n for n in record if re.fullmatch("_?type", n, re.I)]
    require(telling in (["type"], ["_type"]) and next(iter(record)) == telling[0], "not a leaf")
    return record


def verify_token(trust, data):
    require(len(data) <= 131072, "too large")
    head, note = data.decode("utf-8").split("\n\n", 1)
    first, leaf_line, proof, index_line, *hash_lines = head.split("\n")
    require((first, proof) == ("weft-token/v1", "c2sp.org/tlog-proof@v1"), "not a token")
    require(leaf_line.startswith("leaf ") and index_line.startswith("index ") and len(hash_lines) <= 63, "malformed")
    leaf, index, hashes = b64(leaf_line[5:]), decimal(index_line[6:]), [b64(line, 32) for line in hash_lines]
    require(len(leaf) <= 65535, "the leaf is too large")
    size, root, time = checkpoint(trust, note)
    included(index, size, leaf, hashes, root)
    return {"index": index, "size": size, "time": time, "record": record_of(leaf)}


def grant_of(record):
    _, subject, predicate_type, predicate = exactly(record, "_type", "subject", "predicateType", "predicate")
    require(record["_type"] == "https://in-toto.io/Statement/v1" and predicate_type == "urn:weft:grant:v1", "no grant")
    ((name, effect),) = [exactly(each, "name", "digest") for each in subject]
    exactly(effect, "sha256")
    exactly(
        predicate, "intent", "height", "time", "tx", "decision", "policy", "action", "resource", "limits", "requester", "audience",
        "approvers", "nonce", "maxUses", "reusable", "actWithinMs", "notBefore", "expires",
    )  # fmt: skip
    require(name == "effect" and predicate["decision"] == "allow", "it allows nothing")
    return {**predicate, "effect": effect["sha256"]}


def may_act(grant, now):
    require(now + SKEW_MS < grant["expires"]["time"], "the grant has expired")
    require(now + SKEW_MS >= grant["notBefore"]["time"], "the grant is not in force yet")


# 5. A status.
def state_value(root, path, value, proof):
    require(re.fullmatch(r"[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/[A-Za-z0-9._-]+", path) and len(path) <= 256, "not a state path")
    siblings, leaf = exactly(proof, "siblings", "leaf")
    siblings, key, h, zeros = [digest(s) for s in siblings], sha(path.encode()), bytes(32), bytes(32)
    bit = lambda data, d: data[d >> 3] >> (7 - (d & 7)) & 1
    require(len(siblings) <= 256 and siblings[-1:] != [zeros], "not a state proof")
    if leaf is not None:
        leaf_key, value_hash = (digest(each) for each in exactly(leaf, "key", "valueHash"))
        require(all(bit(leaf_key, d) == bit(key, d) for d in range(len(siblings))), "the leaf is not on the path")
        h = sha(b"weft/leaf/v1", leaf_key, value_hash)
    for d in reversed(range(len(siblings))):
        pair = (siblings[d], h) if bit(key, d) else (h, siblings[d])
        h = sha(b"weft/node/v1", *pair)
    require(h == root, f"{path} is not proven")
    if value is None:
        require(leaf is None or leaf_key != key, f"{path} is there")
    else:
        require(leaf is not None and leaf_key == key and value_hash == sha(spelt(value)), f"{path} holds something else")


def verify_status(trust, data, now, max_staleness_ms=10_000):
    require(len(data) <= 2**20, "too large")
    form, note, block, state = exactly(one_reading(data, 19), "format", "checkpoint", "block", "state")
    require(form == "weft-status/v1" and len(state) <= 32, "not a status")
    leaf, index, proof = exactly(block, "leaf", "index", "proof")
    size, root, time = checkpoint(trust, note)
    require(now - time <= max_staleness_ms, "stale")
    require(time - now <= 2_000, "ahead of this clock")
    require(count(index) == size - 1, "not the newest leaf")
    require(len(proof) <= 63, "too many hashes")
    included(index, size, b64(leaf), [b64(h, 32) for h in proof], root)
    record = record_of(b64(leaf))
    require(record.get("type") == "block", "the newest leaf is no block record")
    values = {}
    for entry in state:
        path, value, proof = exactly(entry, "path", "value", "proof")
        require(not values or path > max(values), "paths do not ascend")
        state_value(digest(record["stateRoot"]), path, value, proof)
        values[path] = value
    return {"time": time, "height": count(record["height"]), "blockTime": count(record["time"]), "values": values}


def check_grant(grant, status, now):
    may_act(grant, now)
    values, expires = status["values"], grant["expires"]
    kept = values[f"intents/grant/{grant['intent']}"]
    require(kept is not None and kept["status"] == "granted", "not granted")
    for name in ("action", "resource", "requester", "audience", "effect", "maxUses"):
        require(kept[name] == grant[name], f"another {name}")
    require(count(kept["uses"]) < kept["maxUses"], "used up")
    require(values["governance/policy/current"]["minValid"] <= grant["policy"]["version"], "the policy is superseded")
    require(values["governance/pause/current"]["paused"] is False, "paused")
    for account in (grant["requester"], grant["audience"]):
        require(values[f"identity/account/{account}"]["status"] == "active", f"{account} is suspended")
    require(status["height"] < expires["height"] and status["blockTime"] < expires["time"], "expired")
    return kept["maxUses"] - kept["uses"]


# 6. Once only.
def verify_consumed(record, grant, attempt, now):
    require(record.get("type") == "intents.consumed", "not a consume")
    mine = (grant["intent"], grant["audience"], attempt)
    require((record["grant"], record["account"], record["attempt"]) == mine, "not my consume")
    until = record["time"] + grant["actWithinMs"] - SKEW_MS
    require(record["time"] - SKEW_MS <= now < until, "not the time to act")
    return until


# 7. A walk.
def verify_walk(trust, data, now):
    require(len(data) <= 2**22, "too large")
    require(now - trust["checkedAt"] <= 30 * 86_400_000, "the trust file is too old")
    require(trust["epoch"] is not None, "the trust file does not say of which epoch it is")
    form, steps, last = exactly(one_reading(data), "format", "steps", "checkpoint")
    require(form == "weft-walk/v1" and len(steps) <= 64, "not a walk")
    checked_at, before = trust["checkedAt"], None
    for step in steps:
        note, block, epoch, consistency = exactly(step, "checkpoint", "block", "epoch", "consistency")
        size, root, _ = checkpoint(trust, note)
        if before is not None:
            consistent(*before[:2], size, root, before[2])
        records = []
        for each in (block, epoch):
            leaf, index, proof = exactly(each, "leaf", "index", "proof")
            included(count(index), size, b64(leaf), [b64(h, 32) for h in proof], root)
            records.append(record_of(b64(leaf)))
        block_record, epoch_record = records
        require(block["index"] == size - 1, "not the closing block")
        require((block_record["type"], epoch_record["type"]) == ("block", "epoch"), "not a closing block")
        require(block_record["height"] == epoch_record["height"], "records of two blocks")
        require(epoch_record["epoch"] == block_record["epoch"] + 1, "not the next epoch")
        require(block_record["epoch"] >= trust["epoch"], "it leads back")
        rows = epoch_record["validators"]
        logs = [read_vkey(row["log"], 1) for row in rows]
        witnesses = [(row["name"], *read_vkey(row["cosigner"], 4)) for row in rows]
        trust = trust_of(trust["chain"], epoch_record["epoch"], checked_at, logs, witnesses)
        before = (size, root, [b64(h, 32) for h in consistency])
    size, root, time = checkpoint(trust, last)
    if before is not None:
        consistent(*before[:2], size, root, before[2])
    require(time >= checked_at - 60_000, "it ends before the trust file was checked")
    require(time - now <= 2_000, "ahead of this clock")
    return {"epoch": trust["epoch"], "checkedAt": max(checked_at, time), "validators": [w[0] for w in trust["witnesses"]]}


def main(kind, trust_file, file, *more):
    read = lambda path: open(path, "rb").read()
    trust, data = read_trust(read(trust_file).decode()), read(file)
    if kind == "token":
        return verify_token(trust, data)
    now = decimal(more[0])
    if kind == "walk":
        return verify_walk(trust, data, now)
    if kind == "status":
        status = verify_status(trust, data, now)
        if len(more) == 1:
            return status
        return {**status, "usesLeft": check_grant(grant_of(verify_token(trust, read(more[1]))["record"]), status, now)}
    grant = grant_of(verify_token(trust, read(more[2]))["record"])
    return {"until": verify_consumed(verify_token(trust, data)["record"], grant, more[1], now)}


def answer(args):
    try:
        return {"holds": True, **main(*args)}
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        return {"holds": False, "why": str(error)}


if __name__ == "__main__":
    holds = True
    for args in map(json.loads, sys.stdin) if sys.argv[1:] == ["batch"] else [sys.argv[1:]]:
        found = answer(args)
        holds = found["holds"]
        print(json.dumps(found))
    sys.exit(0 if holds else 1)
