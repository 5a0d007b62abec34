// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/certificate.h"

#include <fmt/chrono.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#include "config/config_text.h"

namespace plimsoll {
namespace {

constexpr std::size_t kMostBytes = 1U << 20;  // a bundle of all public authorities is a quarter of that

/// The text of a file, which may be a key: not left behind in memory.
class FileText {
  public:
    explicit FileText(std::string text) : text_(std::move(text)) {}
    ~FileText() { OPENSSL_cleanse(text_.data(), text_.size()); }
    FileText(const FileText&) = delete;
    FileText& operator=(const FileText&) = delete;

    [[nodiscard]] UniqueBio reader() const {
        return UniqueBio(BIO_new_mem_buf(text_.data(), static_cast<int>(text_.size())));
    }

  private:
    std::string text_;
};

/// Instead of asking on the terminal.
int no_passphrase(char*, int, int, void* asked) {
    *static_cast<bool*>(asked) = true;
    return -1;
}

}  // namespace

Result<std::vector<UniqueCertificate>> read_certificates(const std::string& file) {
    auto read = read_regular_file(file, kMostBytes);
    if (!read) {
        return std::unexpected(read.error().in(file));
    }
    const FileText text(std::move(*read));
    const UniqueBio reader = text.reader();
    std::vector<UniqueCertificate> all;
    while (UniqueCertificate one{PEM_read_bio_X509(reader.get(), nullptr, nullptr, nullptr)}) {
        all.push_back(std::move(one));
    }
    const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    const std::string problem = openssl_error();
    if (!at_end) {
        return fail(file + ": a damaged certificate: " + problem);
    }
    if (all.empty()) {
        return fail(file + ": no certificate in PEM form");
    }
    return all;
}

Result<UniqueKey> read_private_key(const std::string& file) {
    auto read = read_regular_file(file, kMostBytes);
    if (!read) {
        return std::unexpected(read.error().in(file));
    }
    const FileText text(std::move(*read));
    bool encrypted = false;
    UniqueKey key(PEM_read_bio_PrivateKey(text.reader().get(), nullptr, no_passphrase, &encrypted));
    ERR_clear_error();
    if (encrypted) {
        return fail(file + ": the key needs a passphrase; allowed: a key without one");
    }
    if (!key) {
        return fail(file + ": no private key in PEM form");
    }
    return key;
}

std::string subject_of(const X509& certificate) {
    const UniqueBio out(BIO_new(BIO_s_mem()));
    X509_NAME_print_ex(out.get(), X509_get_subject_name(&certificate), 0, XN_FLAG_RFC2253);
    char* text = nullptr;
    const long size = BIO_get_mem_data(out.get(), &text);
    return size > 0 ? std::string(text, static_cast<std::size_t>(size)) : "no name";
}

std::time_t expiry_of(const X509& certificate) {
    std::tm end{};
    return ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &end) == 1 ? timegm(&end) : 0;
}

std::string utc_text(std::time_t time) {
    return fmt::format("{:%Y-%m-%d %H:%M:%S} UTC", fmt::gmtime(time));
}

}  // namespace plimsoll
