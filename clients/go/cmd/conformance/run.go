package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/sunmi-trade/sunmi-trade/clients/go/details"
	pb "github.com/sunmi-trade/sunmi-trade/clients/go/sunmi/trade/v1"
)

// How long a step is repeated, and with which pauses where the server asks for none.
const repeatFor, pause = 20 * time.Second, 100 * time.Millisecond

// Runner has one channel to the server, and the sandbox beside it.
type Runner struct {
	rpcs    map[string]rpc
	sandbox string
	tokens  map[string]string
}

type rpc struct {
	request func() proto.Message
	call    func(context.Context, proto.Message) (proto.Message, error)
}

// NewRunner knows the calls that steps name.
func NewRunner(connection *grpc.ClientConn, sandbox string, tokens map[string]string) *Runner {
	trade, ledger := pb.NewTradeServiceClient(connection), pb.NewRefundLedgerServiceClient(connection)
	return &Runner{sandbox: sandbox, tokens: tokens, rpcs: map[string]rpc{
		"Query":      of[pb.QueryRequest](trade.Query),
		"SwipeQuery": of[pb.SwipeQueryRequest](trade.SwipeQuery),
		"Refund":     of[pb.RefundRequest](trade.Refund),
		"GetRefund":  of[pb.GetRefundRequest](ledger.GetRefund),
	}}
}

// of makes an rpc of a generated method, whatever its messages are.
func of[Request any, P interface {
	*Request
	proto.Message
}, Response proto.Message](method func(context.Context, P, ...grpc.CallOption) (Response, error)) rpc {
	return rpc{
		request: func() proto.Message { return P(new(Request)) },
		call: func(ctx context.Context, request proto.Message) (proto.Message, error) {
			return method(ctx, request.(P), grpc.WaitForReady(true))
		},
	}
}

// Run says what went wrong with a case, if something did.
func (r *Runner) Run(source json.RawMessage) error {
	c, err := ReadCase(source)
	if err != nil {
		return err
	}
	// In this order: a refund is one of an order, and a fault is for the calls of the steps.
	prepared := []struct {
		path   string
		bodies []json.RawMessage
	}{{"orders", c.Orders}, {"refunds", c.PastRefunds}, {"faults", c.Faults}}
	for _, page := range prepared {
		if err := r.post(page.path, page.bodies); err != nil {
			return err
		}
	}
	for at, step := range c.Steps {
		if err := r.step(step); err != nil {
			return fmt.Errorf("step %d, %s: %w", at+1, step.RPC, err)
		}
	}
	return r.executed(c.Executions)
}

func (r *Runner) step(step Step) error {
	rpc, known := r.rpcs[step.RPC]
	token, allowed := r.tokens[step.As]
	if !known || !allowed && step.As != "nobody" {
		return fmt.Errorf("no such rpc or caller: %q as %q", step.RPC, step.As)
	}
	request := rpc.request()
	if err := protojson.Unmarshal(step.Request, request); err != nil {
		return err
	}
	for until := time.Now().Add(repeatFor); ; {
		outcome := call(rpc, request, token, time.Duration(step.DeadlineMS)*time.Millisecond)
		err := step.Expect.Check(outcome)
		if err == nil || !step.RepeatUntil || time.Now().After(until) {
			return err
		}
		wait := pause
		if outcome.Err != nil && details.Of(outcome.Err).Wait() > 0 {
			wait = details.Of(outcome.Err).Wait()
		}
		time.Sleep(min(wait, time.Until(until)))
	}
}

// Outcome is what a call came to.
type Outcome struct {
	Response proto.Message
	Err      error
}

func call(rpc rpc, request proto.Message, token string, deadline time.Duration) Outcome {
	if deadline == 0 {
		deadline = 5 * time.Second
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	if token != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+token)
	}
	response, err := rpc.call(ctx, request)
	return Outcome{response, err}
}

// executed holds the sandbox's books against what the case says of them.
func (r *Runner) executed(expected map[string]int) error {
	response, err := http.Get(r.sandbox + "/sandbox/books")
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var books struct {
		Executions []struct {
			OrderID string `json:"order_id"`
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&books); err != nil {
		return err
	}
	counts := map[string]int{}
	for _, execution := range books.Executions {
		counts[execution.OrderID]++
	}
	for number, times := range expected {
		if counts[number] != times {
			return fmt.Errorf("%s: %d executions expected, %d came", number, times, counts[number])
		}
	}
	return nil
}

func (r *Runner) post(path string, bodies []json.RawMessage) error {
	for _, body := range bodies {
		response, err := http.Post(r.sandbox+"/sandbox/"+path, "application/json", bytes.NewReader(body))
		if err != nil {
			return err
		}
		said, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode/100 != 2 {
			return fmt.Errorf("sandbox, %s: %s %s %v", path, response.Status, said, err)
		}
	}
	return nil
}
