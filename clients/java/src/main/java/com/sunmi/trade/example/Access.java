package com.sunmi.trade.example;

import com.google.gson.Gson;
import io.grpc.ChannelCredentials;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.StatusRuntimeException;
import io.grpc.TlsChannelCredentials;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.AbstractStub;
import io.grpc.stub.MetadataUtils;
import io.grpc.util.AdvancedTlsX509KeyManager;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;

/** How to reach the server, and who calls: one channel for the whole program. */
final class Access implements AutoCloseable {
  static final Set<String> FLAGS =
      Set.of("server", "timeout", "token-file", "ca", "cert", "key", "service-config");
  private static final Metadata.Key<String> REQUEST_ID = key("x-request-id");
  private static final Metadata.Key<String> AUTHORIZATION = key("authorization");

  private final ScheduledExecutorService renewal =
      Executors.newSingleThreadScheduledExecutor(Access::daemon);
  private final ManagedChannel channel;
  private final long timeoutNanos;
  private final Path tokenFile;
  private boolean warm;

  Access(Flags flags) throws Flags.Wrong {
    timeoutNanos = flags.nanos("timeout", "10");
    tokenFile = flags.has("token-file") ? Path.of(flags.required("token-file")) : null;
    if (flags.has("cert") != flags.has("key") || flags.has("cert") && !flags.has("ca")) {
      throw new Flags.Wrong("--cert, --key and --ca go together");
    }
    try {
      channel =
          Grpc.newChannelBuilder(flags.required("server"), credentials(flags))
              .defaultServiceConfig(serviceConfig(flags))
              // Nor does a TXT record in DNS have gRPC repeat others.
              .disableServiceConfigLookUp()
              // Finds out within half a minute that the server is gone though nobody says so.
              .keepAliveTime(20, TimeUnit.SECONDS)
              .keepAliveTimeout(10, TimeUnit.SECONDS)
              .build();
    } catch (IOException | GeneralSecurityException | RuntimeException wrong) {
      throw new Flags.Wrong(wrong.toString());
    }
  }

  private ChannelCredentials credentials(Flags flags)
      throws IOException, GeneralSecurityException, Flags.Wrong {
    if (!flags.has("ca")) {
      return InsecureChannelCredentials.create();
    }
    TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
    tls.trustManager(Path.of(flags.required("ca")).toFile());
    if (flags.has("cert")) {
      // Reads its files again every minute, so that they may be renewed under a running program.
      AdvancedTlsX509KeyManager pair = new AdvancedTlsX509KeyManager();
      pair.updateIdentityCredentials(
          Path.of(flags.required("cert")).toFile(),
          Path.of(flags.required("key")).toFile(), 1, TimeUnit.MINUTES, renewal);
      tls.keyManager(pair);
    }
    return tls.build();
  }

  /** What gRPC repeats by itself: reads, and never a Refund. */
  @SuppressWarnings("unchecked")
  private static Map<String, ?> serviceConfig(Flags flags) throws IOException, Flags.Wrong {
    String json;
    if (flags.has("service-config")) {
      json = Files.readString(Path.of(flags.required("service-config")));
    } else {
      // A copy of docs/grpc-service-config.json, which Maven puts there.
      try (InputStream file = Access.class.getResourceAsStream("/grpc-service-config.json")) {
        json = new String(file.readAllBytes(), StandardCharsets.UTF_8);
      }
    }
    return new Gson().fromJson(json, Map.class);
  }

  ManagedChannel channel() {
    return channel;
  }

  /**
   * A JVM's first call takes up to a second longer, to load classes and to connect. This spends that
   * second before the first deadline begins; what comes of it tells nothing.
   */
  void warmUp() {
    if (!warm) {
      warm = true;
      try {
        HealthGrpc.newBlockingStub(channel)
            .withWaitForReady()
            .withDeadlineAfter(2, TimeUnit.SECONDS)
            .check(HealthCheckRequest.getDefaultInstance());
      } catch (StatusRuntimeException failed) {
        // The call that follows will tell.
      }
    }
  }

  /**
   * A stub for one call: with a deadline from now on, an id that the server logs, and the token as
   * it is in its file now, so that it may be renewed.
   *
   * @throws UncheckedIOException where the token cannot be read: then there is no call
   */
  <S extends AbstractStub<S>> S forCall(S stub, String requestId) {
    Metadata headers = new Metadata();
    headers.put(REQUEST_ID, requestId);
    if (tokenFile != null) {
      headers.put(AUTHORIZATION, "Bearer " + token());
    }
    // After failures a channel waits before it connects again, for up to 2 minutes, which is
    // longer than a call. grpc-java has no setting for it; this ends the wait.
    channel.resetConnectBackoff();
    return stub.withDeadlineAfter(timeoutNanos, TimeUnit.NANOSECONDS)
        .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers));
  }

  private String token() {
    try {
      return Files.readString(tokenFile).strip();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  @Override
  public void close() {
    channel.shutdownNow();
    renewal.shutdownNow();
  }

  private static Metadata.Key<String> key(String name) {
    return Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER);
  }

  private static Thread daemon(Runnable work) {
    Thread thread = new Thread(work, "certificate-renewal");
    thread.setDaemon(true);
    return thread;
  }
}
