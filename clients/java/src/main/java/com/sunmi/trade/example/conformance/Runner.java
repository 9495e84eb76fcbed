package com.sunmi.trade.example.conformance;

import com.google.gson.JsonElement;
import com.google.gson.JsonParser;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import com.sunmi.trade.example.Details;
import com.sunmi.trade.v1.RefundLedgerServiceGrpc;
import com.sunmi.trade.v1.TradeServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientInterceptors;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.StatusRuntimeException;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** Runs cases over one channel to the server, with the sandbox beside it. */
public final class Runner {
  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  /** How long a step is repeated, and with which pauses where the server asks for none. */
  private static final Duration REPEAT_FOR = Duration.ofSeconds(20);

  private static final Duration PAUSE = Duration.ofMillis(100);
  private static final Map<String, MethodDescriptor<?, ?>> METHODS =
      Map.of(
          "Query", TradeServiceGrpc.getQueryMethod(),
          "SwipeQuery", TradeServiceGrpc.getSwipeQueryMethod(),
          "Refund", TradeServiceGrpc.getRefundMethod(),
          "GetRefund", RefundLedgerServiceGrpc.getGetRefundMethod());

  private final HttpClient http = HttpClient.newHttpClient();
  private final Channel channel;
  private final String sandbox;
  private final Map<String, String> tokens;

  /** A runner with these tokens, by caller. */
  public Runner(Channel channel, String sandbox, Map<String, String> tokens) {
    this.channel = channel;
    this.sandbox = sandbox;
    this.tokens = tokens;
  }

  /** Says what went wrong with a case; empty where nothing did. */
  public List<String> run(Case it) throws IOException, InterruptedException {
    post("orders", it.orders());
    post("refunds", it.pastRefunds());
    // Last: a fault is for the calls of the steps.
    post("faults", it.faults());
    for (int at = 0; at < it.steps().size(); at++) {
      Case.Step step = it.steps().get(at);
      List<String> problems = run(step);
      if (!problems.isEmpty()) {
        problems.add(0, "step %d, %s".formatted(at + 1, step.rpc()));
        return problems;
      }
    }
    return executions(it);
  }

  private List<String> run(Case.Step step) throws IOException, InterruptedException {
    MethodDescriptor<?, ?> method = METHODS.get(step.rpc());
    boolean nobody = step.caller().equals("nobody");
    if (method == null || !nobody && !tokens.containsKey(step.caller())) {
      throw new IllegalArgumentException(
          "no such rpc or caller: %s as %s".formatted(step.rpc(), step.caller()));
    }
    long until = System.nanoTime() + REPEAT_FOR.toNanos();
    while (true) {
      Duration pause = PAUSE;
      List<String> problems;
      try {
        problems = step.expect().problemsOf(call(method, step));
      } catch (StatusRuntimeException thrown) {
        problems = step.expect().problemsOf(thrown);
        Duration asked = Details.of(thrown).waitFor();
        pause = asked.isZero() ? PAUSE : asked;
      }
      if (problems.isEmpty() || !step.repeatUntil() || System.nanoTime() > until) {
        return problems;
      }
      TimeUnit.NANOSECONDS.sleep(Math.min(pause.toNanos(), until - System.nanoTime()));
    }
  }

  @SuppressWarnings("unchecked")
  private Message call(MethodDescriptor<?, ?> method, Case.Step step) throws IOException {
    Message.Builder request = requestOf((MethodDescriptor<Message, Message>) method);
    JsonFormat.parser().merge(step.request().toString(), request);
    Metadata headers = new Metadata();
    if (tokens.containsKey(step.caller())) {
      headers.put(AUTHORIZATION, "Bearer " + tokens.get(step.caller()));
    }
    Channel authorized =
        ClientInterceptors.intercept(channel, MetadataUtils.newAttachHeadersInterceptor(headers));
    CallOptions options =
        CallOptions.DEFAULT
            .withDeadlineAfter(step.deadlineMs(), TimeUnit.MILLISECONDS)
            .withWaitForReady();
    return ClientCalls.blockingUnaryCall(
        authorized, (MethodDescriptor<Message, Message>) method, options, request.build());
  }

  private static Message.Builder requestOf(MethodDescriptor<Message, Message> method) {
    var marshaller =
        (MethodDescriptor.PrototypeMarshaller<Message>) method.getRequestMarshaller();
    return marshaller.getMessagePrototype().newBuilderForType();
  }

  private void post(String path, List<JsonElement> bodies)
      throws IOException, InterruptedException {
    for (JsonElement body : bodies) {
      ask("POST", path, HttpRequest.BodyPublishers.ofString(body.toString()));
    }
  }

  /** Holds the sandbox's books against what the case says of them. */
  private List<String> executions(Case it) throws IOException, InterruptedException {
    String books = ask("GET", "books", HttpRequest.BodyPublishers.noBody());
    List<String> executed = new ArrayList<>();
    for (JsonElement execution :
        JsonParser.parseString(books).getAsJsonObject().getAsJsonArray("executions")) {
      executed.add(execution.getAsJsonObject().get("order_id").getAsString());
    }
    List<String> problems = new ArrayList<>();
    for (String number : it.executions().keySet()) {
      long wanted = it.executions().get(number).getAsLong();
      long came = executed.stream().filter(number::equals).count();
      if (came != wanted) {
        problems.add("%s: %d executions expected, %d came".formatted(number, wanted, came));
      }
    }
    return problems;
  }

  private String ask(String method, String path, HttpRequest.BodyPublisher body)
      throws IOException, InterruptedException {
    HttpRequest request =
        HttpRequest.newBuilder(URI.create(sandbox + "/sandbox/" + path))
            .header("content-type", "application/json")
            .timeout(Duration.ofSeconds(10))
            .method(method, body)
            .build();
    HttpResponse<String> answer = http.send(request, HttpResponse.BodyHandlers.ofString());
    if (answer.statusCode() / 100 != 2) {
      throw new IOException(
          "sandbox, %s: %d %s".formatted(path, answer.statusCode(), answer.body()));
    }
    return answer.body();
  }
}
