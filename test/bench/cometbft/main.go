// A validator of CometBFT with an application that does, per transaction, the least that a ledger with a log must: check one
// Ed25519 signature, once; hash the record into a root that the next header carries; keep it durably. `npm run bench --
// --against cometbft` builds it, starts as many as there are validators and gives them the same load as Weft's.
//
//	cometbft-validator init --dir DIR --validators 4 --port 27000
//	cometbft-validator run --home DIR/node0 --port 27000
package main

import (
	"context"
	"encoding/hex"
	"flag"
	"fmt"
	"log"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	cfg "github.com/cometbft/cometbft/config"
	cmtlog "github.com/cometbft/cometbft/libs/log"
	"github.com/cometbft/cometbft/node"
	"github.com/cometbft/cometbft/p2p"
	"github.com/cometbft/cometbft/privval"
	"github.com/cometbft/cometbft/proxy"
	"github.com/cometbft/cometbft/types"
	cmttime "github.com/cometbft/cometbft/types/time"
)

func main() {
	if len(os.Args) < 2 {
		log.Fatal("init or run")
	}
	var err error
	switch os.Args[1] {
	case "init":
		err = initialize(os.Args[2:])
	case "run":
		err = run(os.Args[2:])
	default:
		err = fmt.Errorf("init or run, not %s", os.Args[1])
	}
	if err != nil {
		log.Fatal(err)
	}
}

// tuned is CometBFT's default configuration with what its operators change for speed, and nothing that gives up safety or
// durability: see README.md for each.
func tuned(home string, port int) *cfg.Config {
	config := cfg.DefaultConfig()
	config.SetRoot(home)
	config.LogLevel = "error"
	config.RPC.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", port+1)
	config.RPC.GRPCListenAddress = ""
	config.RPC.MaxOpenConnections = 0
	config.P2P.ListenAddress = fmt.Sprintf("tcp://127.0.0.1:%d", port)
	config.P2P.AddrBookStrict = false
	config.P2P.AllowDuplicateIP = true
	config.P2P.PexReactor = false
	config.P2P.MaxPacketMsgPayloadSize = 64 * 1024
	config.P2P.SendRate = 1 << 30
	config.P2P.RecvRate = 1 << 30
	config.Consensus.TimeoutCommit = 0
	config.Consensus.SkipTimeoutCommit = true
	config.Consensus.CreateEmptyBlocks = false
	config.Consensus.PeerGossipSleepDuration = 2_000_000 // 2 ms
	config.Mempool.Recheck = false
	config.Mempool.Size = 100_000
	config.Mempool.MaxTxsBytes = 1 << 30
	config.Mempool.CacheSize = 200_000
	config.TxIndex.Indexer = "null"
	config.Storage.DiscardABCIResponses = true
	return config
}

const portsPerValidator = 10

func initialize(args []string) error {
	flags := flag.NewFlagSet("init", flag.ExitOnError)
	dir := flags.String("dir", "", "folder for the homes node0, node1, …")
	validators := flags.Int("validators", 4, "how many")
	port := flags.Int("port", 27000, "first port: of each ten the first three: peers, RPC, notifications")
	if err := flags.Parse(args); err != nil {
		return err
	}
	genesis := &types.GenesisDoc{
		ChainID:         "bench",
		ConsensusParams: types.DefaultConsensusParams(),
		GenesisTime:     cmttime.Now(),
		InitialHeight:   1,
	}
	configs := make([]*cfg.Config, *validators)
	addresses := make([]string, *validators)
	for i := range configs {
		home := filepath.Join(*dir, fmt.Sprintf("node%d", i))
		configs[i] = tuned(home, *port+i*portsPerValidator)
		for _, folder := range []string{"config", "data"} {
			if err := os.MkdirAll(filepath.Join(home, folder), 0o755); err != nil {
				return err
			}
		}
		key := privval.LoadOrGenFilePV(configs[i].PrivValidatorKeyFile(), configs[i].PrivValidatorStateFile())
		public, err := key.GetPubKey()
		if err != nil {
			return err
		}
		genesis.Validators = append(genesis.Validators, types.GenesisValidator{PubKey: public, Power: 1})
		nodeKey, err := p2p.LoadOrGenNodeKey(configs[i].NodeKeyFile())
		if err != nil {
			return err
		}
		addresses[i] = fmt.Sprintf("%s@127.0.0.1:%d", nodeKey.ID(), *port+i*portsPerValidator)
	}
	for i, config := range configs {
		others := append(append([]string{}, addresses[:i]...), addresses[i+1:]...)
		config.P2P.PersistentPeers = strings.Join(others, ",")
		if err := genesis.SaveAs(config.GenesisFile()); err != nil {
			return err
		}
		if err := os.WriteFile(peersFile(config.RootDir), []byte(config.P2P.PersistentPeers), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func peersFile(home string) string { return filepath.Join(home, "config", "peers") }

func run(args []string) error {
	flags := flag.NewFlagSet("run", flag.ExitOnError)
	home := flags.String("home", "", "folder that init made")
	port := flags.Int("port", 27000, "first of this validator's ports")
	if err := flags.Parse(args); err != nil {
		return err
	}
	config := tuned(*home, *port)
	peers, err := os.ReadFile(peersFile(*home))
	if err != nil {
		return err
	}
	config.P2P.PersistentPeers = string(peers)
	application, err := openLedger(filepath.Join(*home, "data"))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", *port+2))
	if err != nil {
		return err
	}
	go application.serve(listener)
	nodeKey, err := p2p.LoadNodeKey(config.NodeKeyFile())
	if err != nil {
		return err
	}
	key := privval.LoadFilePV(config.PrivValidatorKeyFile(), config.PrivValidatorStateFile())
	logger := cmtlog.NewFilter(cmtlog.NewTMLogger(cmtlog.NewSyncWriter(os.Stderr)), cmtlog.AllowError())
	validator, err := node.NewNode(config, key, nodeKey, proxy.NewLocalClientCreator(application),
		node.DefaultGenesisDocProviderFunc(config), cfg.DefaultDBProvider,
		node.DefaultMetricsProvider(config.Instrumentation), logger)
	if err != nil {
		return err
	}
	if err := validator.Start(); err != nil {
		return err
	}
	fmt.Printf("running %s\n", hex.EncodeToString([]byte(nodeKey.ID())))
	stopped, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	<-stopped.Done()
	if err := validator.Stop(); err != nil {
		return err
	}
	validator.Wait()
	return application.close()
}
