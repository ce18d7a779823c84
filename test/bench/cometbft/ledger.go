package main

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"

	dbm "github.com/cometbft/cometbft-db"
	abci "github.com/cometbft/cometbft/abci/types"
)

// A transaction is public key (32) ‖ signature (64) ‖ record: the signature is over the record, whose first 8 bytes make it unique.
const headBytes = ed25519.PublicKeySize + ed25519.SignatureSize

// ledger appends every record to a Merkle tree (RFC 6962) and keeps it, the tree's right edge and the height in one synced
// batch a block.
type ledger struct {
	abci.BaseApplication
	db dbm.DB

	// Signatures that CheckTx or ProcessProposal verified and no block has used yet.
	verifiedMutex sync.Mutex
	verified      map[[32]byte]struct{}

	state   edge
	next    edge
	records [][]byte

	listenersMutex sync.Mutex
	listeners      []net.Conn
}

// edge is what a tree of `Size` leaves needs to grow: the roots of its complete subtrees, the largest first.
type edge struct {
	Height int64
	Size   uint64
	Roots  [][]byte
}

var stateKey = []byte("state")

func openLedger(folder string) (*ledger, error) {
	db, err := dbm.NewDB("application", dbm.GoLevelDBBackend, folder)
	if err != nil {
		return nil, err
	}
	l := &ledger{db: db, verified: map[[32]byte]struct{}{}}
	kept, err := db.Get(stateKey)
	if err != nil {
		return nil, err
	}
	if kept != nil {
		if err := json.Unmarshal(kept, &l.state); err != nil {
			return nil, err
		}
	}
	return l, nil
}

func (l *ledger) close() error { return l.db.Close() }

func (e edge) append(record []byte) edge {
	hash := sha256.New()
	hash.Write([]byte{0})
	hash.Write(record)
	node := hash.Sum(nil)
	roots := append([][]byte{}, e.Roots...)
	for size := e.Size; size&1 == 1; size >>= 1 {
		node = parent(roots[len(roots)-1], node)
		roots = roots[:len(roots)-1]
	}
	return edge{Height: e.Height, Size: e.Size + 1, Roots: append(roots, node)}
}

func (e edge) root() []byte {
	if len(e.Roots) == 0 {
		empty := sha256.Sum256(nil)
		return empty[:]
	}
	root := e.Roots[len(e.Roots)-1]
	for i := len(e.Roots) - 2; i >= 0; i-- {
		root = parent(e.Roots[i], root)
	}
	return root
}

func parent(left, right []byte) []byte {
	hash := sha256.New()
	hash.Write([]byte{1})
	hash.Write(left)
	hash.Write(right)
	return hash.Sum(nil)
}

// valid checks the signature of a transaction unless it was checked before.
func (l *ledger) valid(tx []byte) bool {
	if len(tx) < headBytes+8 {
		return false
	}
	id := sha256.Sum256(tx)
	l.verifiedMutex.Lock()
	_, known := l.verified[id]
	l.verifiedMutex.Unlock()
	if known {
		return true
	}
	if !ed25519.Verify(tx[:ed25519.PublicKeySize], tx[headBytes:], tx[ed25519.PublicKeySize:headBytes]) {
		return false
	}
	l.verifiedMutex.Lock()
	l.verified[id] = struct{}{}
	l.verifiedMutex.Unlock()
	return true
}

func (l *ledger) Info(context.Context, *abci.RequestInfo) (*abci.ResponseInfo, error) {
	response := &abci.ResponseInfo{LastBlockHeight: l.state.Height}
	if l.state.Height > 0 {
		response.LastBlockAppHash = l.state.root()
	}
	return response, nil
}

func (l *ledger) CheckTx(_ context.Context, request *abci.RequestCheckTx) (*abci.ResponseCheckTx, error) {
	if !l.valid(request.Tx) {
		return &abci.ResponseCheckTx{Code: 1, Log: "signature"}, nil
	}
	return &abci.ResponseCheckTx{GasWanted: 1}, nil
}

func (l *ledger) ProcessProposal(_ context.Context, request *abci.RequestProcessProposal) (*abci.ResponseProcessProposal, error) {
	for _, tx := range request.Txs {
		if !l.valid(tx) {
			return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_REJECT}, nil
		}
	}
	return &abci.ResponseProcessProposal{Status: abci.ResponseProcessProposal_ACCEPT}, nil
}

func (l *ledger) FinalizeBlock(_ context.Context, request *abci.RequestFinalizeBlock) (*abci.ResponseFinalizeBlock, error) {
	l.next = l.state
	l.records = l.records[:0]
	results := make([]*abci.ExecTxResult, len(request.Txs))
	for i, tx := range request.Txs {
		if !l.valid(tx) {
			results[i] = &abci.ExecTxResult{Code: 1}
			continue
		}
		id := sha256.Sum256(tx)
		l.verifiedMutex.Lock()
		delete(l.verified, id)
		l.verifiedMutex.Unlock()
		record := tx[headBytes:]
		l.next = l.next.append(record)
		l.records = append(l.records, record)
		results[i] = &abci.ExecTxResult{}
	}
	l.next.Height = request.Height
	return &abci.ResponseFinalizeBlock{TxResults: results, AppHash: l.next.root()}, nil
}

func (l *ledger) Commit(context.Context, *abci.RequestCommit) (*abci.ResponseCommit, error) {
	batch := l.db.NewBatch()
	defer batch.Close()
	for i, record := range l.records {
		key := make([]byte, 9)
		key[0] = 'r'
		binary.BigEndian.PutUint64(key[1:], l.state.Size+uint64(i))
		if err := batch.Set(key, record); err != nil {
			return nil, err
		}
	}
	state, err := json.Marshal(l.next)
	if err != nil {
		return nil, err
	}
	if err := batch.Set(stateKey, state); err != nil {
		return nil, err
	}
	if err := batch.WriteSync(); err != nil {
		return nil, err
	}
	l.state = l.next
	l.tell()
	return &abci.ResponseCommit{}, nil
}

// serve takes those who want to hear of final, durable records: 8 bytes each, in order. That is cheaper for the validator than
// CometBFT's own subscriptions, which send whole blocks as JSON.
func (l *ledger) serve(listener net.Listener) {
	for {
		connection, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			fmt.Println("accept:", err)
			continue
		}
		l.listenersMutex.Lock()
		l.listeners = append(l.listeners, connection)
		l.listenersMutex.Unlock()
	}
}

// tell sends, for each block with records: height, how many (8 bytes each, big-endian), and the first 8 bytes of each record.
func (l *ledger) tell() {
	if len(l.records) == 0 {
		return
	}
	message := make([]byte, 0, 16+8*len(l.records))
	message = binary.BigEndian.AppendUint64(message, uint64(l.state.Height))
	message = binary.BigEndian.AppendUint64(message, uint64(len(l.records)))
	for _, record := range l.records {
		message = append(message, record[:8]...)
	}
	l.listenersMutex.Lock()
	defer l.listenersMutex.Unlock()
	for _, listener := range l.listeners {
		if _, err := listener.Write(message); err != nil {
			fmt.Println("a listener is gone:", err)
		}
	}
}
