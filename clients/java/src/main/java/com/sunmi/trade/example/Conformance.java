package com.sunmi.trade.example;

import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.sunmi.trade.example.conformance.Case;
import com.sunmi.trade.example.conformance.Fields;
import com.sunmi.trade.example.conformance.Runner;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * Runs the cases that the clients of all languages have in common: {@code Conformance [CASES.json]}.
 *
 * <p>clients/conformance/with-server starts the server and its sandbox, and says in the environment
 * where they are.
 */
public final class Conformance {
  private static final int AT_ONCE = 8;

  public static void main(String[] arguments) throws Exception {
    Path file = Path.of(arguments.length > 0 ? arguments[0] : "../conformance/cases.json");
    JsonObject table = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
    Fields.check(table, "tokens", "cases");
    Map<String, String> tokens = new LinkedHashMap<>();
    table.getAsJsonObject("tokens").asMap().forEach((who, it) -> tokens.put(who, it.getAsString()));
    ManagedChannel channel =
        Grpc.newChannelBuilder(environment("SUNMI_TRADE_SERVER"), InsecureChannelCredentials.create())
            // A step is one call: what gRPC repeated would blur what is told of it.
            .disableRetry()
            .build();
    // So that the time to connect is of no case's deadline.
    HealthGrpc.newBlockingStub(channel)
        .withWaitForReady()
        .withDeadlineAfter(20, TimeUnit.SECONDS)
        .check(HealthCheckRequest.getDefaultInstance());
    Runner runner = new Runner(channel, environment("SUNMI_TRADE_SANDBOX"), tokens);
    boolean passed = runAll(runner, table);
    channel.shutdownNow();
    System.exit(passed ? 0 : 1);
  }

  private static String environment(String name) {
    String value = System.getenv(name);
    if (value == null) {
      throw new IllegalStateException(name + " is not set: see clients/conformance/with-server");
    }
    return value;
  }

  private static boolean runAll(Runner runner, JsonObject table) throws Exception {
    ExecutorService places = Executors.newFixedThreadPool(AT_ONCE);
    Map<String, Future<List<String>>> runs = new LinkedHashMap<>();
    for (var source : table.getAsJsonArray("cases")) {
      String name = source.getAsJsonObject().get("name").getAsString();
      if (runs.put(name, places.submit(() -> runner.run(Case.read(source)))) != null) {
        throw new IllegalStateException("two cases are named " + name);
      }
    }
    int failed = 0;
    for (var run : runs.entrySet()) {
      List<String> problems = problems(run.getValue());
      failed += problems.isEmpty() ? 0 : 1;
      System.out.println(
          problems.isEmpty()
              ? "ok      " + run.getKey()
              : "FAILED  " + run.getKey() + ": " + String.join("; ", problems));
    }
    places.shutdown();
    System.out.printf("%d passed, %d failed%n", runs.size() - failed, failed);
    return failed == 0 && !runs.isEmpty();
  }

  private static List<String> problems(Future<List<String>> run) throws InterruptedException {
    try {
      return run.get();
    } catch (ExecutionException failed) {
      return List.of(failed.getCause().toString());
    }
  }

  private Conformance() {}
}
