// Looks up a payment, refunds it, and finds out what became of the refund.
//
//	go run . -original DEMO-1 -amount 100 -number R-1
package main

import (
	"context"
	"flag"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

var (
	server   = flag.String("server", "127.0.0.1:50051", "where sunmi-trade serves")
	config   = flag.String("service-config", "../service-config.json", "which calls gRPC repeats by itself: reads, never Refund")
	msn      = flag.String("msn", "TL05D91940002", "the merchant's device")
	original = flag.String("original", "DEMO-1", "the payment, by the shop's order number")
	amount   = flag.Int64("amount", 100, "how much to refund, in fen")
	number   = flag.String("number", "", "the refund's own number: make it once, store it, then call")
	business = flag.String("business", "B-1", "the shop's business number")
	besides  = flag.String("besides", "", "open refunds of the payment that are wanted as well: their numbers, with commas between")
	repeats  = flag.Int("repeats", 20, "how often to ask again while the outcome is not known")
	timeout  = flag.Duration("timeout", 10*time.Second, "how long one call may take")
)

func main() {
	flag.Parse()
	if *number == "" {
		log.Fatal("-number is missing: the refund's number is what makes it happen once")
	}
	serviceConfig, err := os.ReadFile(*config)
	if err != nil {
		log.Fatal(err)
	}
	connection, err := grpc.NewClient(*server,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(string(serviceConfig)))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	client := pb.NewTradeServiceClient(connection)
	query(client)
	if !refund(client) {
		os.Exit(1)
	}
}

// One call: with a deadline, and with an id that the server's log will show.
func call() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	return metadata.AppendToOutgoingContext(ctx, "x-request-id", *number), cancel
}

func query(client pb.TradeServiceClient) {
	ctx, cancel := call()
	defer cancel()
	payment, err := client.Query(ctx, &pb.QueryRequest{
		Msn: *msn, Order: &pb.QueryRequest_OrderId{OrderId: *original},
	})
	if err != nil {
		fmt.Printf("payment %s: %s\n", *original, read(err))
		return
	}
	fmt.Printf("payment %s: %s, %d fen, %d refunded\n",
		*original, payment.State, payment.GetAmountMinor(), payment.GetRefundedMinor())
}

// refund makes the refund and repeats it, always with the same number and content, until its
// outcome is known. It says whether the money was refunded, as far as is known.
func refund(client pb.TradeServiceClient) bool {
	request := &pb.RefundRequest{
		Msn: *msn, AmountMinor: *amount, OrderId: *number, BusinessId: *business,
		Original: &pb.RefundRequest_OriOrderId{OriOrderId: *original},
	}
	// No part of the content. Whoever names them says that this one is not another try at those.
	if *besides != "" {
		request.AcknowledgedOpenOrderIds = strings.Split(*besides, ",")
	}
	for asked := 0; ; asked++ {
		ctx, cancel := call()
		refund, err := client.Refund(ctx, request)
		cancel()
		failure := failure{again: true, wait: time.Second}
		if err == nil {
			fmt.Printf("refund %s: %s, known from %s, replayed %t\n",
				*number, refund.State, refund.Evidence, refund.Replayed)
			switch refund.State {
			case pb.TradeState_TRADE_STATE_SUCCEEDED:
				return true
			case pb.TradeState_TRADE_STATE_FAILED:
				// One that Sunmi declined is an answer, too.
				return false
			}
			// Accepted and not finished, whatever else the state is: ask again.
		} else {
			failure = read(err)
			fmt.Printf("refund %s: %s\n", *number, failure)
		}
		if failure.error.GetReason() == pb.ErrorReason_ERROR_REASON_REFUND_IN_FLIGHT {
			// Not done. The open one may be the same refund under another number, so that one is
			// repeated until it is known, with its own number and content, before this one.
			fmt.Printf("refund %s: not sent, because %s is open: repeat that one first\n",
				*number, failure.open)
		}
		if !failure.again || asked == *repeats {
			return false
		}
		time.Sleep(failure.wait)
	}
}

// failure is what an error says.
type failure struct {
	status *status.Status
	error  *pb.TradeError
	// Whether to ask again with the same number, and after how long.
	again bool
	wait  time.Duration
	// The number of another refund of the payment that is in the way.
	open string
}

func (f failure) String() string {
	return fmt.Sprintf("%s, %s, outcome %s, next %s",
		f.status.Code(), f.error.GetReason(), f.error.GetRefundOutcome(), f.error.GetNextStep())
}

// read finds TradeError among an error's details. There is none if the error is not the
// server's: the connection broke, or the client's own deadline passed. Then the outcome is
// not known either, and asking again with the same number is what to do.
func read(err error) failure {
	failure := failure{status: status.Convert(err), again: true, wait: time.Second}
	for _, detail := range failure.status.Details() {
		switch detail := detail.(type) {
		case *pb.TradeError:
			failure.error = detail
			failure.again = detail.NextStep == pb.NextStep_NEXT_STEP_RETRY ||
				detail.NextStep == pb.NextStep_NEXT_STEP_REPEAT_SAME_REFUND
		case *errdetails.RetryInfo:
			failure.wait = detail.RetryDelay.AsDuration()
		case *errdetails.ErrorInfo:
			failure.open = detail.Metadata["openOrderId"]
		}
	}
	return failure
}
