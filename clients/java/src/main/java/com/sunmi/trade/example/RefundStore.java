package com.sunmi.trade.example;

import com.google.gson.GsonBuilder;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.util.JsonFormat;
import com.sunmi.trade.v1.RefundRequest;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URLDecoder;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.stream.Stream;

/** A folder with a record of each refund, which is there before its first call. Never lose it. */
final class RefundStore {
  private final Path folder;

  RefundStore(Path folder) throws IOException {
    this.folder = folder.toAbsolutePath();
    if (!Files.isDirectory(this.folder)) {
      Files.createDirectories(this.folder);
      sync(this.folder.getParent());
    }
  }

  /** Another process works on the refund. */
  static final class Busy extends IOException {
    private static final long serialVersionUID = 1;

    Busy(String number) {
      super("another process works on " + number);
    }
  }

  /** The refunds that there are records of, in alphabetical order. */
  List<String> numbers() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> name.endsWith(".json"))
          // There is no plus in a record's name, which would be read as a blank.
          .map(name -> URLDecoder.decode(name.replaceFirst("\\.json$", ""), StandardCharsets.UTF_8))
          .sorted()
          .toList();
    }
  }

  /**
   * Opens a record for this process alone: of two that work on one refund, one could note "no money
   * moved" while the other sends it again. The lock ends with the process, however that ends.
   */
  Record lock(String number) throws IOException {
    FileChannel lock =
        FileChannel.open(
            folder.resolve(escape(number) + ".lock"),
            StandardOpenOption.CREATE, StandardOpenOption.WRITE);
    try {
      if (lock.tryLock() == null) {
        throw new Busy(number);
      }
      return new Record(folder.resolve(escape(number) + ".json"), lock, number);
    } catch (OverlappingFileLockException ours) {
      lock.close();
      throw new Busy(number);
    } catch (IOException | RuntimeException failed) {
      lock.close();
      throw failed;
    }
  }

  /** A refund as the store has it. */
  static final class Record implements AutoCloseable {
    /** Null where there is no record yet. */
    RefundRequest request;

    Outcome outcome = Outcome.PENDING;
    private final Path file;
    private final FileChannel lock;

    private Record(Path file, FileChannel lock, String number) throws IOException {
      this.file = file;
      this.lock = lock;
      if (Files.exists(file)) {
        read(number);
      }
    }

    /** A damaged record is an error: taken for absent, its refund would be forgotten. */
    private void read(String number) throws IOException {
      try {
        JsonObject kept = JsonParser.parseString(Files.readString(file)).getAsJsonObject();
        RefundRequest.Builder builder = RefundRequest.newBuilder();
        // A field that this version does not know is content, too: the parser refuses it.
        JsonFormat.parser().merge(kept.get("request").toString(), builder);
        outcome = Outcome.valueOf(kept.get("outcome").getAsString());
        request = builder.build();
      } catch (RuntimeException damaged) {
        throw new IOException(file + " is damaged: " + damaged, damaged);
      }
      if (!request.getOrderId().equals(number)) {
        throw new IOException(file + " is of " + request.getOrderId());
      }
    }

    /** Returns once the record is on the disk, whole, also if the power fails then. */
    void save() throws IOException {
      JsonObject kept = new JsonObject();
      kept.addProperty("outcome", outcome.name());
      kept.add("request", JsonParser.parseString(JsonFormat.printer().print(request)));
      String text = new GsonBuilder().setPrettyPrinting().create().toJson(kept) + "\n";
      Path temporary = file.resolveSibling(file.getFileName() + ".tmp");
      try (FileChannel out =
          FileChannel.open(
              temporary, StandardOpenOption.CREATE, StandardOpenOption.WRITE,
              StandardOpenOption.TRUNCATE_EXISTING)) {
        ByteBuffer bytes = StandardCharsets.UTF_8.encode(text);
        while (bytes.hasRemaining()) {
          out.write(bytes);
        }
        out.force(true);
      }
      Files.move(temporary, file, StandardCopyOption.ATOMIC_MOVE);
      sync(file.getParent());
    }

    /** Lets other processes work on it. */
    @Override
    public void close() {
      try {
        lock.close();
      } catch (IOException failed) {
        throw new UncheckedIOException(failed);
      }
    }
  }

  private static void sync(Path folder) throws IOException {
    try (FileChannel opened = FileChannel.open(folder, StandardOpenOption.READ)) {
      opened.force(true);
    }
  }

  /** RFC 3986's percent-encoding of all but [A-Za-z0-9_-]: a number may be "../x". */
  static String escape(String number) {
    StringBuilder name = new StringBuilder();
    for (byte each : number.getBytes(StandardCharsets.UTF_8)) {
      boolean plain = Character.toString(each & 0xff).matches("[A-Za-z0-9_-]");
      name.append(plain ? (char) each : "%%%02X".formatted(each & 0xff));
    }
    return name.toString();
  }
}
