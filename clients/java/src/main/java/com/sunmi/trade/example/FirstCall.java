package com.sunmi.trade.example;

import com.sunmi.trade.v1.QueryRequest;
import com.sunmi.trade.v1.QueryResponse;
import com.sunmi.trade.v1.TradeServiceGrpc;
import com.sunmi.trade.v1.TradeState;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import java.util.Set;

/**
 * Asks a server for its health, and looks up the payment DEMO-1.
 *
 * <p>Without wait-for-ready, so that what is wrong with the connection is told at once.
 */
public final class FirstCall {
  public static void main(String[] words) {
    try {
      Flags flags = new Flags(words, Access.FLAGS, Set.of());
      try (Access access = new Access(flags)) {
        System.out.println("health: " + health(access));
        query(access);
      }
      System.exit(0);
    } catch (Flags.Wrong wrong) {
      System.err.println("first call: " + wrong);
      System.exit(64);
    } catch (StatusRuntimeException thrown) {
      System.err.println(Details.of(thrown));
      System.exit(1);
    }
  }

  /** Of the whole server; a service's own name asks for that one. */
  private static String health(Access access) {
    HealthGrpc.HealthBlockingStub stub = HealthGrpc.newBlockingStub(access.channel());
    HealthCheckRequest request = HealthCheckRequest.getDefaultInstance();
    return access.forCall(stub, "first-health").check(request).getStatus().toString();
  }

  private static void query(Access access) {
    TradeServiceGrpc.TradeServiceBlockingStub stub =
        TradeServiceGrpc.newBlockingStub(access.channel());
    QueryRequest request =
        QueryRequest.newBuilder().setMsn("TL05D91940002").setOrderId("DEMO-1").build();
    QueryResponse payment = access.forCall(stub, "first-query").query(request);
    String state = Details.name(TradeState.getDescriptor(), payment.getStateValue());
    // What Sunmi did not say is absent, which is not the same as 0.
    String amount = payment.hasAmountMinor() ? payment.getAmountMinor() + " fen" : "no amount";
    System.out.println("DEMO-1: " + state + ", " + amount);
  }

  private FirstCall() {}
}
