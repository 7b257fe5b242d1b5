// SPDX-License-Identifier: Apache-2.0
// Certificates made for a test, with a root of their own.

#pragma once

#include <memory>
#include <string>

#include "openssl/bio.h"
#include "openssl/evp.h"
#include "openssl/pem.h"
#include "openssl/x509.h"
#include "openssl/x509v3.h"

namespace octet::testing {

// A certificate with its key, both as PEM and as OpenSSL has them.
struct IssuedCertificate {
  std::shared_ptr<X509> certificate;
  std::shared_ptr<EVP_PKEY> key;
  std::string certificate_pem;
  std::string key_pem;
};

struct CertificateRequest {
  std::string common_name;
  std::string organization = "";              // none if empty
  std::string alternative_names = "";         // as OpenSSL's configuration has them; none if empty
  long seconds_left = 3600;                   // negative: expired
  const IssuedCertificate* issuer = nullptr;  // null: it signs itself, and may sign others
  std::string passphrase = "";                // of key_pem; none if empty
};

inline std::string PemOf(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  std::string pem(text, static_cast<std::size_t>(size));
  BIO_free(bio);
  return pem;
}

inline void AddExtension(X509* certificate, int nid, const std::string& value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

inline void AddName(X509_NAME* name, const char* field, const std::string& value) {
  if (value.empty()) return;
  X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8,
                             reinterpret_cast<const unsigned char*>(value.c_str()), -1, -1, 0);
}

inline IssuedCertificate Issue(const CertificateRequest& request) {
  static long serial = 1;
  IssuedCertificate issued;
  issued.key.reset(EVP_EC_gen("P-256"), &EVP_PKEY_free);
  issued.certificate.reset(X509_new(), &X509_free);
  X509* const certificate = issued.certificate.get();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -7200);
  X509_gmtime_adj(X509_getm_notAfter(certificate), request.seconds_left);
  X509_set_pubkey(certificate, issued.key.get());
  X509_NAME* const subject = X509_get_subject_name(certificate);
  AddName(subject, "O", request.organization);
  AddName(subject, "CN", request.common_name);
  if (request.issuer == nullptr) {
    AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  }
  if (!request.alternative_names.empty()) {
    AddExtension(certificate, NID_subject_alt_name, request.alternative_names);
  }
  const IssuedCertificate& issuer = request.issuer == nullptr ? issued : *request.issuer;
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer.certificate.get()));
  X509_sign(certificate, issuer.key.get(), EVP_sha256());

  BIO* bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  issued.certificate_pem = PemOf(bio);
  bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PKCS8PrivateKey(
      bio, issued.key.get(), request.passphrase.empty() ? nullptr : EVP_aes_128_cbc(),
      request.passphrase.c_str(), static_cast<int>(request.passphrase.size()), nullptr, nullptr);
  issued.key_pem = PemOf(bio);
  return issued;
}

}  // namespace octet::testing
