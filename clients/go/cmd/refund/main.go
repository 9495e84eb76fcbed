// Makes a refund, and finds out what became of it: done, declined, or still pending.
//
//	refund --server 127.0.0.1:50051 --store refunds --number R-1 --original DEMO-1 --amount 100
//	refund --server 127.0.0.1:50051 --store refunds --resume
package main

import (
	"errors"
	"flag"
	"fmt"
	"log"
	"math"
	"os"
	"strconv"
	"strings"
	"time"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

const exitDone, exitDeclined, exitPending, exitUsage = 0, 3, 4, 64

type options struct {
	access            Access
	store             Store
	resume            bool
	request           pb.RefundRequest
	besides           string
	timeout, patience float64
}

func main() {
	log.SetFlags(log.Ltime | log.Lmicroseconds)
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err != nil {
		usage(err)
	}
	connection, err := o.access.Open()
	if err != nil {
		usage(err)
	}
	defer connection.Close()
	refunder := &Refunder{
		Access: o.access, Patience: seconds(o.patience),
		Trade: pb.NewTradeServiceClient(connection), Ledger: pb.NewRefundLedgerServiceClient(connection),
	}
	if o.resume {
		os.Exit(resume(refunder, o.store))
	}
	record, asked, err := o.store.Begin(&o.request)
	if errors.Is(err, ErrBusy) {
		log.Printf("%s: %v", o.request.OrderId, err)
		os.Exit(tell(o.request.OrderId, Pending))
	}
	if err != nil {
		usage(fmt.Errorf("%s: %w", o.request.OrderId, err))
	}
	refunder.Settle(record, asked)
	os.Exit(tell(o.request.OrderId, record.Outcome))
}

func parse(arguments []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("refund", flag.ContinueOnError)
	original := &pb.RefundRequest_OriOrderId{}
	o.request.Original = original
	f.StringVar(&o.access.Server, "server", "", "where sunmi-trade serves, as `HOST:PORT`")
	f.StringVar((*string)(&o.store), "store", "", "the `FOLDER` of records; never lose it")
	f.BoolVar(&o.resume, "resume", false, "work on every pending record of the store")
	f.StringVar(&o.request.OrderId, "number", "", "the refund's own number: made once, for this refund alone")
	f.StringVar(&original.OriOrderId, "original", "", "the payment, by the shop's order number")
	// Not Int64Var: to that, 0100 is 64.
	f.Func("amount", "how much to refund, in fen: a whole `NUMBER`", func(text string) (err error) {
		o.request.AmountMinor, err = strconv.ParseInt(text, 10, 64)
		return err
	})
	f.StringVar(&o.request.Msn, "msn", "TL05D91940002", "the merchant's device")
	f.StringVar(&o.request.BusinessId, "business", "B-1", "the shop's business number")
	f.StringVar(&o.besides, "besides", "", "open refunds of the payment that are wanted as well: `NUMBER,...`")
	f.Float64Var(&o.timeout, "timeout", 10, "how long one call may take, in `SECONDS`")
	f.Float64Var(&o.patience, "patience", 60, "for how long to try again, in `SECONDS`, for each refund")
	f.StringVar(&o.access.TokenFile, "token-file", "", "`FILE` with the caller's token")
	f.StringVar(&o.access.CA, "ca", "", "`FILE` of authorities: TLS; without it, plaintext")
	f.StringVar(&o.access.Cert, "cert", "", "`FILE` with the client's certificate")
	f.StringVar(&o.access.Key, "key", "", "`FILE` with its key")
	f.StringVar(&o.access.ServiceConfig, "service-config", "", "`FILE` that says what gRPC repeats; by default reads")
	if err := f.Parse(arguments); err != nil {
		return nil, err
	}
	if o.besides != "" {
		o.request.AcknowledgedOpenOrderIds = strings.Split(o.besides, ",")
	}
	o.access.Timeout = seconds(o.timeout)
	set := map[string]bool{}
	f.Visit(func(given *flag.Flag) { set[given.Name] = true })
	return o, o.check(set, f.Args())
}

func (o *options) check(set map[string]bool, rest []string) error {
	named := set["number"] || set["original"] || set["amount"] || set["msn"] || set["business"] || set["besides"]
	switch {
	case len(rest) > 0:
		return fmt.Errorf("what is %q?", rest[0])
	case o.access.Server == "" || o.store == "":
		return errors.New("--server and --store are needed")
	case o.resume && named:
		return errors.New("--resume goes by the records alone")
	case !o.resume && (o.request.OrderId == "" || o.request.GetOriOrderId() == "" || o.request.AmountMinor < 1):
		return errors.New("--number, --original and an --amount of at least 1 are needed, or --resume")
	case (o.access.Cert == "") != (o.access.Key == "") || o.access.Cert != "" && o.access.CA == "":
		return errors.New("--cert, --key and --ca go together")
	case !(o.timeout > 0 && o.timeout < math.MaxInt32 && o.patience > 0 && o.patience < math.MaxInt32):
		return errors.New("--timeout and --patience are positive numbers of seconds")
	}
	return nil
}

// resume works on what earlier runs left pending, one after the other.
func resume(refunder *Refunder, store Store) int {
	numbers, err := store.Numbers()
	if err != nil {
		usage(err)
	}
	worst := exitDone
	for _, number := range numbers {
		record, err := store.Lock(number)
		if err != nil {
			// For a person, or for the process that has it, and not in the way of the others.
			log.Printf("%s: %v", number, err)
			worst = exitPending
			continue
		}
		if record.Request == nil {
			// Its file has another name than this number's: it is not passed over.
			log.Printf("%s: no record has the name %s", number, record.file)
			worst = exitPending
		} else if record.Outcome == Pending {
			refunder.Settle(record, true)
			worst = max(worst, tell(number, record.Outcome))
		}
		record.Unlock()
	}
	return worst
}

// tell says how a refund was left, and gives its exit status.
func tell(number string, outcome Outcome) int {
	fmt.Println(number, strings.ToLower(string(outcome)))
	return map[Outcome]int{Done: exitDone, Declined: exitDeclined, Pending: exitPending}[outcome]
}

// usage ends a run in which nothing was sent.
func usage(err error) {
	fmt.Fprintln(os.Stderr, "refund:", err)
	os.Exit(exitUsage)
}

func seconds(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
