// Runs the cases that the clients of all languages have in common.
//
//	conformance [CASES.json]
//
// clients/conformance/with-server starts the server and its sandbox, and says in the environment
// where they are.
package main

import (
	"fmt"
	"log"
	"os"
	"sync"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// How many cases run at once.
const atOnce = 8

func main() {
	log.SetFlags(0)
	file := "../conformance/cases.json"
	if len(os.Args) > 1 {
		file = os.Args[1]
	}
	table, err := ReadTable(file)
	if err != nil {
		log.Fatal(err)
	}
	server, sandbox := os.Getenv("SUNMI_TRADE_SERVER"), os.Getenv("SUNMI_TRADE_SANDBOX")
	if server == "" || sandbox == "" {
		log.Fatal("SUNMI_TRADE_SERVER and SUNMI_TRADE_SANDBOX say where they are: see clients/conformance/with-server")
	}
	// A step is one call: what gRPC repeated by itself would blur what is told of it.
	connection, err := grpc.NewClient(server, grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithDisableRetry())
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	if !runAll(table, NewRunner(connection, sandbox, table.Tokens)) {
		os.Exit(1)
	}
}

// runAll says whether every case passed.
func runAll(table *Table, runner *Runner) bool {
	failures := make([]error, len(table.Cases))
	places := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for at, source := range table.Cases {
		places <- struct{}{}
		running.Go(func() {
			failures[at] = runner.Run(source)
			<-places
		})
	}
	running.Wait()
	failed := 0
	for at, source := range table.Cases {
		if failures[at] == nil {
			fmt.Println("ok     ", NameOf(source))
		} else {
			fmt.Printf("FAILED  %s: %v\n", NameOf(source), failures[at])
			failed++
		}
	}
	fmt.Printf("%d passed, %d failed\n", len(table.Cases)-failed, failed)
	return failed == 0 && len(table.Cases) > 0
}
