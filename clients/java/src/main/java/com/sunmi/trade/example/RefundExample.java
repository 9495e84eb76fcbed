package com.sunmi.trade.example;

import com.google.gson.Gson;
import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import com.sunmi.trade.v1.ErrorReason;
import com.sunmi.trade.v1.QueryRequest;
import com.sunmi.trade.v1.QueryResponse;
import com.sunmi.trade.v1.RefundRequest;
import com.sunmi.trade.v1.RefundResponse;
import com.sunmi.trade.v1.TradeError;
import com.sunmi.trade.v1.TradeServiceGrpc;
import com.sunmi.trade.v1.TradeServiceGrpc.TradeServiceBlockingStub;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.MetadataUtils;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * Looks up a payment, refunds it, and finds out what became of the refund.
 *
 * <p>Settings are system properties: {@code -Dnumber=R-1 -Doriginal=DEMO-1 -Damount=100}.
 */
public final class RefundExample {
  private static final String SERVER = System.getProperty("server", "127.0.0.1:50051");
  /** Which calls gRPC repeats by itself: reads, never Refund. */
  private static final String CONFIG =
      System.getProperty("service-config", "../service-config.json");
  private static final String MSN = System.getProperty("msn", "TL05D91940002");
  private static final String ORIGINAL = System.getProperty("original", "DEMO-1");
  private static final long AMOUNT = Long.getLong("amount", 100);
  /** The refund's own number: make it once, store it, then call. */
  private static final String NUMBER = System.getProperty("number");
  private static final String BUSINESS = System.getProperty("business", "B-1");
  /** Open refunds of the payment that are wanted as well: their numbers, with commas between. */
  private static final String BESIDES = System.getProperty("besides", "");
  /** How often to ask again while the outcome is not known. */
  private static final int REPEATS = Integer.getInteger("repeats", 20);
  private static final long TIMEOUT_MS = Long.getLong("timeout-ms", 10_000);

  private final TradeServiceBlockingStub stub;

  private RefundExample(ManagedChannel channel) {
    // An id that the server's log will show.
    Metadata headers = new Metadata();
    headers.put(Metadata.Key.of("x-request-id", Metadata.ASCII_STRING_MARSHALLER), NUMBER);
    stub =
        TradeServiceGrpc.newBlockingStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  @SuppressWarnings("unchecked")
  public static void main(String[] arguments) throws IOException, InterruptedException {
    if (NUMBER == null) {
      throw new IllegalArgumentException("-Dnumber is missing: it makes the refund happen once");
    }
    Map<String, ?> config = new Gson().fromJson(Files.readString(Path.of(CONFIG)), Map.class);
    ManagedChannel channel =
        ManagedChannelBuilder.forTarget(SERVER)
            .usePlaintext()
            .defaultServiceConfig(config)
            .build();
    RefundExample example = new RefundExample(channel);
    example.query();
    boolean refunded = example.refund();
    channel.shutdownNow();
    System.exit(refunded ? 0 : 1);
  }

  private TradeServiceBlockingStub withDeadline() {
    return stub.withDeadlineAfter(TIMEOUT_MS, TimeUnit.MILLISECONDS);
  }

  private void query() {
    QueryRequest request = QueryRequest.newBuilder().setMsn(MSN).setOrderId(ORIGINAL).build();
    try {
      QueryResponse payment = withDeadline().query(request);
      System.out.printf(
          "payment %s: %s, %d fen, %d refunded%n",
          ORIGINAL, payment.getState(), payment.getAmountMinor(), payment.getRefundedMinor());
    } catch (StatusRuntimeException error) {
      System.out.printf("payment %s: %s%n", ORIGINAL, Failure.of(error));
    }
  }

  /**
   * Makes the refund and repeats it, always with the same number and content, until its outcome
   * is known. Says whether the money was refunded, as far as is known.
   */
  private boolean refund() throws InterruptedException {
    RefundRequest request =
        RefundRequest.newBuilder()
            .setMsn(MSN)
            .setAmountMinor(AMOUNT)
            .setOriOrderId(ORIGINAL)
            .setOrderId(NUMBER)
            .setBusinessId(BUSINESS)
            // No part of the content. Whoever names them says that this one is not another try
            // at those.
            .addAllAcknowledgedOpenOrderIds(
                BESIDES.isEmpty() ? List.of() : List.of(BESIDES.split(",")))
            .build();
    for (int asked = 0; ; asked++) {
      Failure failure = Failure.UNFINISHED;
      try {
        RefundResponse refund = withDeadline().refund(request);
        System.out.printf(
            "refund %s: %s, known from %s, replayed %b%n",
            NUMBER, refund.getState(), refund.getEvidence(), refund.getReplayed());
        switch (refund.getState()) {
          case TRADE_STATE_SUCCEEDED -> {
            return true;
          }
          case TRADE_STATE_FAILED -> {
            // One that Sunmi declined is an answer, too.
            return false;
          }
          default -> {
            // Accepted and not finished, whatever else the state is: ask again.
          }
        }
      } catch (StatusRuntimeException error) {
        failure = Failure.of(error);
        System.out.printf("refund %s: %s%n", NUMBER, failure);
      }
      if (failure.error().getReason() == ErrorReason.ERROR_REASON_REFUND_IN_FLIGHT) {
        // Not done. The open one may be the same refund under another number, so that one is
        // repeated until it is known, with its own number and content, before this one.
        System.out.printf(
            "refund %s: not sent, because %s is open: repeat that one first%n",
            NUMBER, failure.open());
      }
      if (!failure.again() || asked == REPEATS) {
        return false;
      }
      Thread.sleep(failure.waitMs());
    }
  }

  /**
   * What an error says: whether to ask again with the same number, after how long, and which other
   * refund of the payment is in the way.
   */
  private record Failure(Status.Code code, TradeError error, long waitMs, String open) {
    static final Failure UNFINISHED =
        new Failure(Status.Code.OK, TradeError.getDefaultInstance(), 1_000, "");

    /**
     * Finds TradeError among an error's details. There is none if the error is not the server's:
     * the connection broke, or the client's own deadline passed. Then the outcome is not known
     * either, and asking again with the same number is what to do.
     */
    static Failure of(StatusRuntimeException thrown) {
      TradeError error = TradeError.getDefaultInstance();
      long waitMs = 1_000;
      String open = "";
      try {
        for (Any detail : StatusProto.fromThrowable(thrown).getDetailsList()) {
          if (detail.is(TradeError.class)) {
            error = detail.unpack(TradeError.class);
          } else if (detail.is(RetryInfo.class)) {
            waitMs = detail.unpack(RetryInfo.class).getRetryDelay().getSeconds() * 1_000;
          } else if (detail.is(ErrorInfo.class)) {
            open = detail.unpack(ErrorInfo.class).getMetadataOrDefault("openOrderId", "");
          }
        }
      } catch (InvalidProtocolBufferException unreadable) {
        // As if there were none.
      }
      return new Failure(thrown.getStatus().getCode(), error, waitMs, open);
    }

    boolean again() {
      return switch (error.getNextStep()) {
        case NEXT_STEP_UNSPECIFIED, NEXT_STEP_RETRY, NEXT_STEP_REPEAT_SAME_REFUND -> true;
        default -> false;
      };
    }

    @Override
    public String toString() {
      return "%s, %s, outcome %s, next %s"
          .formatted(code, error.getReason(), error.getRefundOutcome(), error.getNextStep());
    }
  }
}
