import com.jcraft.jsch.JSch;
import com.jcraft.jsch.JSchException;
import com.jcraft.jsch.Session;
import java.io.File;
import org.eclipse.jgit.api.Git;
import org.eclipse.jgit.api.TransportCommand;
import org.eclipse.jgit.lib.Ref;
import org.eclipse.jgit.transport.JschConfigSessionFactory;
import org.eclipse.jgit.transport.OpenSshConfig;
import org.eclipse.jgit.transport.PushResult;
import org.eclipse.jgit.transport.RefSpec;
import org.eclipse.jgit.transport.RemoteRefUpdate;
import org.eclipse.jgit.transport.SshTransport;
import org.eclipse.jgit.util.FS;

/** Git by JGit over JSch: JGitOverJSch VERB URL KEY [FOLDER [REF]]; its known_hosts_jsch lies in the home. */
public final class JGitOverJSch {
  private final String url;
  private final String key;

  private JGitOverJSch(String url, String key) {
    this.url = url;
    this.key = key;
  }

  public static void main(String[] args) throws Exception {
    JGitOverJSch client = new JGitOverJSch(args[1], args[2]);
    switch (args[0]) {
      case "ls-remote":
        for (Ref ref : client.authenticated(Git.lsRemoteRepository().setRemote(client.url)).call()) {
          System.out.printf("%s\t%s%n", ref.getObjectId().name(), ref.getName());
        }
        break;
      case "clone":
        client.authenticated(Git.cloneRepository().setURI(client.url).setDirectory(new File(args[3]))).call().close();
        break;
      case "push":
        client.push(new File(args[3]), args[4]);
        break;
      default:
        throw new IllegalArgumentException(args[0]);
    }
  }

  private void push(File folder, String ref) throws Exception {
    try (Git git = Git.open(folder)) {
      for (PushResult result : authenticated(git.push().setRemote(url).setRefSpecs(new RefSpec(ref))).call()) {
        System.err.print(result.getMessages());
        for (RemoteRefUpdate update : result.getRemoteUpdates()) {
          if (update.getStatus() != RemoteRefUpdate.Status.OK) throw new IllegalStateException(update.toString());
        }
      }
    }
  }

  private <C extends TransportCommand<C, ?>> C authenticated(C command) {
    return command.setTransportConfigCallback(
        transport -> ((SshTransport) transport).setSshSessionFactory(new OneKey(key)));
  }

  private static final class OneKey extends JschConfigSessionFactory {
    private final String key;

    OneKey(String key) {
      this.key = key;
    }

    @Override
    protected void configure(OpenSshConfig.Host host, Session session) {
      session.setConfig("PreferredAuthentications", "publickey");
    }

    @Override
    protected JSch createDefaultJSch(FS files) throws JSchException {
      JSch jsch = new JSch();
      jsch.setKnownHosts(new File(System.getenv("HOME"), ".ssh/known_hosts_jsch").getPath());
      jsch.addIdentity(key);
      return jsch;
    }
  }
}
