// verifylog checks a Weft log with libraries that know nothing of Weft: golang.org/x/mod/sumdb/{note,tlog} and
// github.com/transparency-dev/{formats,merkle}. It reads the tlog-tiles layout from a folder or a web server, decides
// whether the checkpoint is trusted, recomputes the root from tiles and entries, and checks proof files.
//
//	verifylog -dir DIR|-url URL -log VKEY... -cosigner VKEY... -quorum Q
//	          [-policy FILE] [-proof FILE [-leaf FILE]]... [-old CHECKPOINT [-consistency FILE]] [-samples N]
//
// Prints what held and exits 0, or prints the first thing that did not and exits 1.
package main

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	f_note "github.com/transparency-dev/formats/note"
	f_proof "github.com/transparency-dev/formats/proof"
	"github.com/transparency-dev/formats/witness"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/note"
)

type list []string

func (l *list) String() string     { return strings.Join(*l, " ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }

type trust struct {
	logs      []note.Verifier
	cosigners []note.Verifier
	quorum    int
	policy    []byte
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "verifylog:", err)
		os.Exit(1)
	}
}

func run() error {
	var logKeys, cosignerKeys, proofs, leaves list
	dir := flag.String("dir", "", "folder in tlog-tiles layout")
	url := flag.String("url", "", "prefix of a server of tlog-tiles")
	quorum := flag.Int("quorum", 1, "distinct cosigners that a checkpoint needs")
	policyFile := flag.String("policy", "", "C2SP tlog-policy that the checkpoint has to satisfy too")
	old := flag.String("old", "", "older checkpoint (file) that the log has to extend")
	consistency := flag.String("consistency", "", "consistency proof (file, one base64 hash a line) from -old")
	samples := flag.Int64("samples", 20, "leaves whose inclusion is proved from the tiles")
	flag.Var(&logKeys, "log", "log vkey, repeatable: any one signature will do")
	flag.Var(&cosignerKeys, "cosigner", "cosigner vkey, repeatable")
	flag.Var(&proofs, "proof", "C2SP tlog-proof or weft-token (file), repeatable")
	flag.Var(&leaves, "leaf", "leaf (file) of the -proof at the same place; a weft-token carries its own")
	flag.Parse()

	t, err := readTrust(logKeys, cosignerKeys, *quorum, *policyFile)
	if err != nil {
		return err
	}
	if (*dir == "") != (*url == "") {
		src := source{dir: *dir, url: *url}
		raw, err := src.read("checkpoint")
		if err != nil {
			return err
		}
		cp, err := t.open(raw)
		if err != nil {
			return fmt.Errorf("checkpoint: %w", err)
		}
		fmt.Printf("checkpoint: %s, %d leaves, trusted\n", cp.Origin, cp.Size)
		if err := verifyTiles(src, cp, *samples); err != nil {
			return err
		}
		if *old != "" {
			if err := verifyOld(t, src, cp, *old, *consistency); err != nil {
				return err
			}
		}
	} else if len(proofs) == 0 {
		return errors.New("nothing to verify: give -dir, -url or -proof")
	}
	for i, file := range proofs {
		leaf := ""
		if i < len(leaves) {
			leaf = leaves[i]
		}
		if err := verifyProofFile(t, file, leaf); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func readTrust(logKeys, cosignerKeys []string, quorum int, policyFile string) (*trust, error) {
	t := &trust{quorum: quorum}
	for _, vkey := range logKeys {
		v, err := note.NewVerifier(vkey)
		if err != nil {
			return nil, fmt.Errorf("log key %q: %w", vkey, err)
		}
		t.logs = append(t.logs, v)
	}
	for _, vkey := range cosignerKeys {
		v, err := f_note.NewVerifierForCosignatureV1(vkey)
		if err != nil {
			return nil, fmt.Errorf("cosigner key %q: %w", vkey, err)
		}
		t.cosigners = append(t.cosigners, v)
	}
	if len(t.logs) == 0 || len(t.cosigners) < quorum {
		return nil, errors.New("give at least one -log and as many -cosigner as -quorum says")
	}
	if policyFile != "" {
		policy, err := os.ReadFile(policyFile)
		if err != nil {
			return nil, err
		}
		t.policy = policy
	}
	return t, nil
}

// open decides whether a checkpoint is trusted: signed by a log key whose name is the origin, cosigned by a quorum.
func (t *trust) open(raw []byte) (*f_log.Checkpoint, error) {
	n, err := note.Open(raw, note.VerifierList(t.logs...))
	if err != nil {
		return nil, fmt.Errorf("log signature: %w", err)
	}
	var cp f_log.Checkpoint
	rest, err := cp.Unmarshal([]byte(n.Text))
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, fmt.Errorf("extension lines %q", rest)
	}
	if n.Sigs[0].Name != cp.Origin {
		return nil, fmt.Errorf("signed by %q, origin is %q", n.Sigs[0].Name, cp.Origin)
	}
	c, err := note.Open(raw, note.VerifierList(t.cosigners...))
	if err != nil {
		return nil, fmt.Errorf("cosignatures: %w", err)
	}
	if len(c.Sigs) < t.quorum {
		return nil, fmt.Errorf("%d cosignatures, quorum is %d", len(c.Sigs), t.quorum)
	}
	if t.policy != nil {
		group, err := witness.ParsePolicy(t.policy)
		if err != nil {
			return nil, fmt.Errorf("policy: %w", err)
		}
		if !group.Satisfied(raw) {
			return nil, errors.New("the policy is not satisfied")
		}
		fmt.Println("policy: satisfied")
	}
	return &cp, nil
}

func verifyOld(t *trust, src source, cp *f_log.Checkpoint, oldFile, proofFile string) error {
	raw, err := os.ReadFile(oldFile)
	if err != nil {
		return err
	}
	old, err := t.open(raw)
	if err != nil {
		return fmt.Errorf("%s: %w", oldFile, err)
	}
	if err := checkTreeFromTiles(src, old, cp); err != nil {
		return err
	}
	fmt.Printf("consistency: %d to %d holds by the tiles\n", old.Size, cp.Size)
	if proofFile == "" {
		return nil
	}
	text, err := os.ReadFile(proofFile)
	if err != nil {
		return err
	}
	var hashes [][]byte
	for _, line := range strings.Fields(string(text)) {
		hash, err := base64.StdEncoding.Strict().DecodeString(line)
		if err != nil {
			return err
		}
		hashes = append(hashes, hash)
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, old.Size, cp.Size, hashes, old.Hash, cp.Hash); err != nil {
		return fmt.Errorf("%s: %w", proofFile, err)
	}
	fmt.Printf("consistency: %s holds\n", proofFile)
	return nil
}

// verifyProofFile reads a tlog-proof. A weft-token is one below two lines of its own, the second of which is the leaf.
func verifyProofFile(t *trust, file, leafFile string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var leaf []byte
	if rest, ok := bytes.CutPrefix(text, []byte("weft-token/v1\nleaf ")); ok {
		line, below, found := bytes.Cut(rest, []byte("\n"))
		if !found {
			return errors.New("no line ends the leaf")
		}
		if leaf, err = base64.StdEncoding.Strict().DecodeString(string(line)); err != nil {
			return err
		}
		text = below
	} else if leaf, err = os.ReadFile(leafFile); err != nil {
		return err
	}
	var p f_proof.TLogProof
	if err := p.Unmarshal(text); err != nil {
		return err
	}
	if !bytes.Equal(p.Marshal(), text) {
		return errors.New("another writer of tlog-proof spells it otherwise")
	}
	cp, err := t.open(p.Checkpoint)
	if err != nil {
		return err
	}
	hashes := make([][]byte, len(p.Hashes))
	for i := range p.Hashes {
		hashes[i] = p.Hashes[i][:]
	}
	leafHash := rfc6962.DefaultHasher.HashLeaf(leaf)
	if err := proof.VerifyInclusion(rfc6962.DefaultHasher, p.Index, cp.Size, leafHash, hashes, cp.Hash); err != nil {
		return err
	}
	fmt.Printf("proof: leaf %d of %d holds\n", p.Index, cp.Size)
	return nil
}
