package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	f_log "github.com/transparency-dev/formats/log"
	"github.com/transparency-dev/merkle/compact"
	"github.com/transparency-dev/merkle/rfc6962"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	bytesMax   = tileWidth * (2 + 65535)
)

// source is a folder or a web server in tlog-tiles layout.
type source struct {
	dir string
	url string
}

func (s source) read(path string) ([]byte, error) {
	if s.dir != "" {
		return os.ReadFile(filepath.Join(s.dir, filepath.FromSlash(path)))
	}
	res, err := http.Get(strings.TrimSuffix(s.url, "/") + "/" + path)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", path, res.Status)
	}
	return io.ReadAll(io.LimitReader(res.Body, bytesMax))
}

// tilePath is tlog.Tile.Path without the height, which tlog-tiles fixes at 8.
func tilePath(t tlog.Tile) string {
	return "tile/" + strings.TrimPrefix(t.Path(), fmt.Sprintf("tile/%d/", tileHeight))
}

// tileReader lets the client code of the Go checksum database read the log, authenticating each tile against the root.
type tileReader struct{ src source }

func (r tileReader) Height() int { return tileHeight }

func (r tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) {
	data := make([][]byte, len(tiles))
	for i, tile := range tiles {
		bytes, err := r.src.read(tilePath(tile))
		if err != nil {
			return nil, err
		}
		if len(bytes) != tile.W*tlog.HashSize {
			return nil, fmt.Errorf("%s has %d bytes", tilePath(tile), len(bytes))
		}
		data[i] = bytes
	}
	return data, nil
}

func (r tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func treeOf(cp *f_log.Checkpoint) (tlog.Tree, error) {
	if len(cp.Hash) != tlog.HashSize {
		return tlog.Tree{}, errors.New("the root is not 32 bytes")
	}
	return tlog.Tree{N: int64(cp.Size), Hash: tlog.Hash(cp.Hash)}, nil
}

// verifyTiles hashes every entry, compares every tile with what the entries say, and the root with the checkpoint's.
func verifyTiles(src source, cp *f_log.Checkpoint, samples int64) error {
	tree, err := treeOf(cp)
	if err != nil {
		return err
	}
	// want[l] grows the hashes of tile level l from the entries alone.
	want := [][]byte{nil}
	factory := compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}
	whole := factory.NewEmptyRange(0)
	var hashes []tlog.Hash
	for n := int64(0); n*tileWidth < tree.N; n++ {
		width := min(tileWidth, int(tree.N-n*tileWidth))
		path := strings.Replace(tilePath(tlog.Tile{H: tileHeight, L: 0, N: n, W: width}), "tile/0/", "tile/entries/", 1)
		bundle, err := src.read(path)
		if err != nil {
			return err
		}
		for i := range width {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				return fmt.Errorf("%s ends inside entry %d", path, i)
			}
			end := 2 + int(binary.BigEndian.Uint16(bundle))
			leaf := rfc6962.DefaultHasher.HashLeaf(bundle[2:end])
			bundle = bundle[end:]
			want[0] = append(want[0], leaf...)
			hashes = append(hashes, tlog.Hash(leaf))
			if err := whole.Append(leaf, nil); err != nil {
				return err
			}
		}
		if len(bundle) != 0 {
			return fmt.Errorf("%s has %d bytes too many", path, len(bundle))
		}
	}
	root, err := whole.GetRootHash(nil)
	if err != nil {
		return err
	}
	if !bytes.Equal(root, cp.Hash) {
		return fmt.Errorf("entries give root %x, checkpoint says %x", root, cp.Hash)
	}
	tiles := 0
	for level := 0; len(want[level]) > 0; level++ {
		count := len(want[level]) / tlog.HashSize
		var above []byte
		for n := 0; n*tileWidth < count; n++ {
			width := min(tileWidth, count-n*tileWidth)
			expected := want[level][n*tileWidth*tlog.HashSize:][:width*tlog.HashSize]
			path := tilePath(tlog.Tile{H: tileHeight, L: level, N: int64(n), W: width})
			tile, err := src.read(path)
			if err != nil {
				return err
			}
			if !bytes.Equal(tile, expected) {
				return fmt.Errorf("%s is not what the entries give", path)
			}
			tiles++
			if width == tileWidth {
				above = append(above, fullTileRoot(expected)...)
			}
		}
		want = append(want, above)
	}
	fmt.Printf("tiles: %d tiles and all %d entries give the root\n", tiles, tree.N)
	return proveSamples(src, tree, hashes, samples)
}

func fullTileRoot(tile []byte) []byte {
	r := (&compact.RangeFactory{Hash: rfc6962.DefaultHasher.HashChildren}).NewEmptyRange(0)
	for len(tile) > 0 {
		if err := r.Append(tile[:tlog.HashSize], nil); err != nil {
			panic(err)
		}
		tile = tile[tlog.HashSize:]
	}
	root, err := r.GetRootHash(nil)
	if err != nil {
		panic(err)
	}
	return root
}

// proveSamples makes and checks inclusion proofs the way that a client of the Go checksum database does.
func proveSamples(src source, tree tlog.Tree, leaves []tlog.Hash, samples int64) error {
	reader := tlog.TileHashReader(tree, tileReader{src})
	step := max(1, tree.N/max(1, samples))
	proved := 0
	for n := int64(0); n < tree.N; n += step {
		p, err := tlog.ProveRecord(tree.N, n, reader)
		if err != nil {
			return fmt.Errorf("leaf %d: %w", n, err)
		}
		if err := tlog.CheckRecord(p, tree.N, tree.Hash, n, leaves[n]); err != nil {
			return fmt.Errorf("leaf %d: %w", n, err)
		}
		proved++
	}
	fmt.Printf("inclusion: %d leaves proved from the tiles\n", proved)
	return nil
}

func checkTreeFromTiles(src source, old, cp *f_log.Checkpoint) error {
	from, err := treeOf(old)
	if err != nil {
		return err
	}
	to, err := treeOf(cp)
	if err != nil {
		return err
	}
	p, err := tlog.ProveTree(to.N, from.N, tlog.TileHashReader(to, tileReader{src}))
	if err != nil {
		return err
	}
	return tlog.CheckTree(p, to.N, to.Hash, from.N, from.Hash)
}
