// SPDX-License-Identifier: Apache-2.0
#include "proxy/verbs/set_up_text.h"

namespace ptygate::verbs {

namespace {

constexpr const char* kCaFile = "/etc/ssh/ptygate_user_ca.pub";
constexpr const char* kSnippet = "/etc/ssh/sshd_config.d/50-ptygate.conf";

std::string loginsOf(const config::Target& target, const char* separator) {
  std::string text;
  for (const auto& login : target.logins) text += (text.empty() ? "" : separator) + login;
  return text;
}

// One Match block at the end of our own snippet: settings for the gate's logins only, so that people's logins stay as they are.
std::string matchBlock(const config::Target& target) {
  return "Match User " + loginsOf(target, ",") +
         "\n"
         "    PermitUserRC no\n"
         "    AllowTcpForwarding no\n"
         "    X11Forwarding no\n"
         "Match all\n";
}

std::string certificateText(const config::Target& target, const std::string& public_key) {
  std::string text;
  text +=
      "# Target " + target.name + " (" + target.address.text() + "), logins " + loginsOf(target, ", ") + ": trust the gate's user CA.\n";
  text += "# Run on the target as root. Nothing is removed; other ways to log in stay as they are.\n\n";
  text += "# 1. The CA's public key. The gate's certificates name the login as their principal and live for minutes.\n";
  text += std::string("cat > ") + kCaFile + " <<'EOF'\n" + public_key + " ptygate user CA\nEOF\n";
  text += std::string("chmod 644 ") + kCaFile + "\n\n";
  text += "# 2. Make sshd trust it. The Match block keeps ~/.ssh/rc from running before each command, and holds for\n";
  text += "#    everyone who uses these logins: leave out what people need.\n";
  text += std::string("cat > ") + kSnippet + " <<'EOF'\n";
  text += std::string("TrustedUserCAKeys ") + kCaFile + "\n" + matchBlock(target) + "EOF\n";
  text += "#    (If sshd_config has no \"Include /etc/ssh/sshd_config.d/*.conf\", put these lines at its end instead.\n";
  text += "#    If it has TrustedUserCAKeys already, append the key to that file: the first setting wins, and ours would be ignored.)\n\n";
  text += "# 3. Principals. Without AuthorizedPrincipalsFile, sshd takes a certificate whose principal is the login: nothing to do.\n";
  text += "#    Where AuthorizedPrincipalsFile is set, add to each login's file a line with the login's own name:\n";
  for (const auto& login : target.logins) text += "#      " + login + "\n";
  text += "\n# 4. Check the configuration, then reload. Keep the present session open until step 5 works.\n";
  text += "sshd -t && (systemctl reload ssh || systemctl reload sshd)\n\n";
  text += "# 5. Check.\n";
  for (const auto& login : target.logins) {
    text +=
        "sshd -T -C user=" + login + ",host=gate,addr=127.0.0.1 | grep -iE '^(trustedusercakeys|permituserrc|authorizedprincipalsfile) '\n";
  }
  text += "#    Then, as an agent entitled to this target: ssh -p 2222 " + target.logins.front() + "=" + target.name + "@GATE true\n\n";
  return text;
}

std::string startUpAdvice(const config::Target& target) {
  std::string text;
  text +=
      "# Auto-allowed commands also need start-up files that the account cannot change (~/.bashrc runs before anything the gate sends).\n";
  text += "# One of these, best first; else they are held for people:\n";
  text += "#   a. usermod -s /bin/dash LOGIN                  (dash reads no start-up file for a command; bash is gone at login)\n";
  text +=
      "#   b. in the Match block: SetEnv SHLVL=1          (Debian's bash -c then skips both bashrc files; an account for the gate alone)\n";
  text += "#   c. start-up files and home directory owned by root and not writable by the account\n";
  text += "#   d. trust_account_rc = true in ptygate.toml     (you trust whoever can write them; now: " +
          std::string(target.trust_account_rc ? "true" : "false") + ")\n";
  text += "# `ptygate targets show " + target.name + "` says what the last survey found.\n\n";
  return text;
}

std::string certificateUndo() {
  std::string text = "# Undo: new logins through the gate end at once; running sessions end by `ptygate agents stop`.\n";
  text += std::string("#   rm ") + kSnippet + " " + kCaFile + "\n";
  text += "#   sshd -t && (systemctl reload ssh || systemctl reload sshd)\n";
  return text;
}

std::string authorizedLine(const config::Target& target, const std::string& public_key) {
  std::string options = "restrict,pty";
  if (!target.source_address.empty()) options += ",from=\"" + target.source_address + "\"";
  return options + " " + public_key + " ptygate-" + target.name;
}

std::string identityText(const config::Target& target, const std::string& public_key) {
  std::string text;
  text += "# Target " + target.name + " (" + target.address.text() + "), logins " + loginsOf(target, ", ") +
          ": an identity key that only the gate's keeper holds.\n";
  text += "# Better where the target can do it: certificates (remove identity_key from ptygate.toml); this key has no end of validity.\n\n";
  for (const auto& login : target.logins) {
    text += "# 1. As " + login + " on the target:\n";
    text += "umask 077; mkdir -p ~/.ssh; cat >> ~/.ssh/authorized_keys <<'EOF'\n" + authorizedLine(target, public_key) + "\nEOF\n\n";
  }
  text += "# 2. Check, as an agent entitled to this target: ssh -p 2222 " + target.logins.front() + "=" + target.name + "@GATE true\n\n";
  return text;
}

std::string identityUndo(const config::Target& target) {
  return "# Undo, as each login: remove the line that ends in ptygate-" + target.name + ":\n#   sed -i '/ ptygate-" + target.name +
         "$/d' ~/.ssh/authorized_keys\n";
}

std::string indented(const std::string& text, const std::string& blanks) {
  std::string out;
  std::size_t start = 0;
  while (start < text.size()) {
    const std::size_t end = std::min(text.find('\n', start), text.size());
    out += blanks + text.substr(start, end - start) + "\n";
    start = end + 1;
  }
  return out;
}

}  // namespace

std::string setUpText(const config::Target& target, const std::string& public_key) {
  if (!target.identity_key.empty()) return identityText(target, public_key) + startUpAdvice(target) + identityUndo(target);
  return certificateText(target, public_key) + startUpAdvice(target) + certificateUndo();
}

std::string setUpAnsible(const config::Target& target, const std::string& public_key) {
  std::string text = "# Target " + target.name + ": run with ansible-playbook -l " + target.name + " [-e ptygate_state=absent to undo]\n";
  text += "- hosts: all\n  become: true\n  vars:\n    ptygate_state: present\n  tasks:\n";
  if (!target.identity_key.empty()) {
    for (const auto& login : target.logins) {
      text += "    - name: identity key of the gate for " + login + "\n      ansible.posix.authorized_key:\n        user: " + login + "\n";
      text += "        state: \"{{ ptygate_state }}\"\n        key: '" + public_key + " ptygate-" + target.name + "'\n";
      text += "        key_options: '" + std::string("restrict,pty") +
              (target.source_address.empty() ? "" : ",from=\"" + target.source_address + "\"") + "'\n";
    }
    return text;
  }
  const auto copy = [&text](const char* name, const char* file, const std::string& content) {
    text += std::string("    - name: ") + name + "\n      ansible.builtin.copy:\n        dest: " + file +
            "\n        owner: root\n        mode: '0644'\n";
    text += "        content: |\n" + indented(content, "          ");
    text += "      when: ptygate_state == 'present'\n      notify: reload sshd\n";
  };
  copy("public key of the gate's user CA", kCaFile, public_key + " ptygate user CA\n");
  copy("sshd trusts the gate's user CA", kSnippet, std::string("TrustedUserCAKeys ") + kCaFile + "\n" + matchBlock(target));
  text += "    - name: undo\n      ansible.builtin.file:\n        path: \"{{ item }}\"\n        state: absent\n      loop:\n";
  text += std::string("        - ") + kSnippet + "\n        - " + kCaFile +
          "\n      when: ptygate_state == 'absent'\n      notify: reload sshd\n";
  text += "  handlers:\n    - name: reload sshd\n      ansible.builtin.shell: sshd -t && (systemctl reload ssh || systemctl reload sshd)\n";
  return text;
}

}  // namespace ptygate::verbs
